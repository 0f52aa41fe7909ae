//! Asking a host whether anybody listens at a UDP port: a datagram from a connected socket, to which the host of a dead
//! process answers that the port is unreachable (RFC 1122, section 4.1.3.1), and the kernel reports `ECONNREFUSED`.
//!
//! It is evidence that a stalled process or a broken link cannot produce. It proves nothing when no answer comes: hosts and
//! firewalls may keep silent. And it can be forged by whoever can send packets in the host's name, which is why a verdict
//! wants it from two places.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{interval, timeout};

use crate::traffic::Count;

/// No QUIC packet, so that whoever does listen drops it unread.
const PROBE: &[u8] = &[0];

/// How often it is sent. Linux answers an address only a few times, and then once a second (`icmp_ratelimit`), and what QUIC
/// sends again to the dead port uses up these answers too: one datagram alone often gets none.
const AGAIN: Duration = Duration::from_millis(50);

/// Whether the host at `addr` says, within that time, that nobody listens there; asked from the address `local`, which is
/// the one that traffic to it takes. Counts what it sends. False for every other outcome.
pub(crate) async fn is_closed(local: IpAddr, addr: SocketAddr, within: Duration, count: &Count) -> bool {
    matches!(timeout(within, refusal(local, addr, count)).await, Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused)
}

/// Returns only with an error: nobody answers such a datagram.
async fn refusal(local: IpAddr, addr: SocketAddr, count: &Count) -> io::Result<()> {
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(addr).await?;
    let (mut again, mut unread) = (interval(AGAIN), [0; 16]);
    loop {
        tokio::select! {
            // Whatever comes is no refusal; only an error is.
            received = socket.recv(&mut unread) => received.map(drop)?,
            _ = again.tick() => {
                socket.send(PROBE).await?;
                count.add(PROBE.len() as u64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_port_that_nobody_listens_at_is_closed() {
        for ip in ["127.0.0.1", "::1"] {
            let socket = std::net::UdpSocket::bind((ip, 0)).unwrap();
            let addr = socket.local_addr().unwrap();
            drop(socket);
            assert!(is_closed(ip.parse().unwrap(), addr, LONG, &Count::default()).await, "{ip}");
        }
    }

    #[tokio::test]
    async fn a_port_that_a_process_holds_is_not_closed_even_if_it_reads_nothing() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        assert!(!is_closed(addr.ip(), addr, Duration::from_millis(50), &Count::default()).await);
    }
}
