//! The *port check*: asks a host whether a process listens on a UDP port.
//!
//! This node sends a datagram from a connected socket. If no process holds the port, the host
//! answers that the port is unreachable (RFC 1122, section 4.1.3.1), and the kernel reports
//! `ECONNREFUSED`.
//!
//! A stalled process or a broken link cannot produce this answer, so it is evidence of a crash. No
//! answer proves nothing: hosts and firewalls may drop the datagram. An attacker who can send
//! packets with the host's address can forge the answer. Therefore a verdict needs it from two
//! members.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{interval, timeout};

use crate::traffic::Count;

/// The payload of the datagram. It is not a QUIC packet, so a process that listens drops it unread.
const PROBE: &[u8] = &[0];

/// The interval between two datagrams. One datagram often gets no answer: Linux answers an address
/// only a few times and then once a second (`icmp_ratelimit`), and QUIC's repeated packets to the
/// dead port use up these answers too.
const SEND_INTERVAL: Duration = Duration::from_millis(50);

/// Whether the host at `addr` reports within the time `within` that the port is closed. False for
/// every other outcome.
///
/// The datagrams leave from the address `local`, which is the source address of other traffic to
/// this host. `count` counts them.
pub(crate) async fn is_closed(local: IpAddr, addr: SocketAddr, within: Duration, count: &Count) -> bool {
    matches!(timeout(within, refusal(local, addr, count)).await, Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused)
}

/// Sends datagrams until the socket reports an error. It returns only with an error, because no
/// process answers such a datagram.
async fn refusal(local: IpAddr, addr: SocketAddr, count: &Count) -> io::Result<()> {
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(addr).await?;
    let (mut ticks, mut unread) = (interval(SEND_INTERVAL), [0; 16]);
    loop {
        tokio::select! {
            // Ignore data: only an error of the socket shows that the port is closed.
            received = socket.recv(&mut unread) => received.map(drop)?,
            _ = ticks.tick() => {
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
    async fn port_without_a_process_is_closed() {
        for ip in ["127.0.0.1", "::1"] {
            let socket = std::net::UdpSocket::bind((ip, 0)).unwrap();
            let addr = socket.local_addr().unwrap();
            drop(socket);
            assert!(is_closed(ip.parse().unwrap(), addr, LONG, &Count::default()).await, "{ip}");
        }
    }

    #[tokio::test]
    async fn held_port_is_not_closed_if_nobody_reads() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        assert!(!is_closed(addr.ip(), addr, Duration::from_millis(50), &Count::default()).await);
    }
}
