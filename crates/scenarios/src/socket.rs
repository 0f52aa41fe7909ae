//! A socket of the simulated network, split into the two halves that a transport uses.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use kinfolk_transport::simulation::{Datagram, Receiver, Sender, Socket};
use tokio::time::{Sleep, sleep_until};

use crate::net::Net;

/// A bound address. It is free again when both halves of its socket are dropped.
struct Bound {
    net: Net,
    addr: SocketAddr,
}

struct Sending(Arc<Bound>);

struct Receiving {
    bound: Arc<Bound>,
    /// Ends when the next datagram is due.
    wait: Option<Pin<Box<Sleep>>>,
}

/// Makes a socket for an address that has just been bound.
pub(crate) fn new(net: Net, addr: SocketAddr) -> Socket {
    let bound = Arc::new(Bound { net, addr });
    let sender = Box::new(Sending(Arc::clone(&bound)));
    Socket { addr, sender, receiver: Box::new(Receiving { bound, wait: None }) }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.net.unbind(self.addr);
    }
}

impl Sender for Sending {
    fn send(&mut self, to: SocketAddr, payload: &[u8]) {
        self.0.net.send(self.0.addr, to, payload);
    }
}

impl Receiver for Receiving {
    fn poll_receive(&mut self, cx: &mut Context<'_>, into: &mut Vec<Datagram>) -> Poll<()> {
        loop {
            let next = self.bound.net.receive(self.bound.addr, into, cx.waker());
            if !into.is_empty() {
                return Poll::Ready(());
            }
            let Some(due) = next else { return Poll::Pending };
            let wait = self.wait.get_or_insert_with(|| Box::pin(sleep_until(due)));
            // A datagram that arrived meanwhile may be due earlier.
            if wait.deadline() != due {
                wait.as_mut().reset(due);
            }
            if wait.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
