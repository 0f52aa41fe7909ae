//! What the kernel knows of the path to an address: whether this node can send there, and the
//! longest packet (the MTU).
//!
//! QUIC's socket does not report this. It drops a packet that it cannot send, and the dial waits
//! until its time-out.
//!
//! Connecting a UDP socket sends nothing. The kernel looks up the route and its MTU. That is the
//! MTU of the interface or of the route, or a smaller one that a router reported (ICMP, RFC 1191
//! and RFC 8201). An attacker who can forge such a report can forge a small MTU. Therefore a small
//! MTU alone never ends a dial that the peer answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use crate::pool::DialError;

/// The UDP payload in bytes that each path must carry for QUIC (RFC 9000, section 14).
const PAYLOAD_MIN: u32 = 1_200;

// The sizes of the headers in bytes, without IP options or extensions (RFC 768, 791, and 8200).
const UDP_HEADER_BYTES: u32 = 8;
const IPV4_HEADER_BYTES: u32 = 20;
const IPV6_HEADER_BYTES: u32 = 40;

/// Why no dial from `local` to `addr` can succeed, if the kernel knows a reason.
///
/// This takes a few system calls and never waits.
pub(crate) fn fault(local: IpAddr, addr: SocketAddr) -> Option<DialError> {
    let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
    // A socket that is bound to `[::]` also sends to IPv4 addresses, but a check socket of IPv6
    // cannot connect to one.
    let from = match addr.ip() {
        IpAddr::V4(_) if local.is_ipv6() && local.is_unspecified() => Ipv4Addr::UNSPECIFIED.into(),
        _ => local,
    };
    // Without a socket, for example at the limit of open files, nothing is known of the path. The
    // dial then runs into its time-out as before.
    let socket = UdpSocket::bind((from, 0)).ok()?;
    if let Err(cause) = socket.connect(addr) {
        return Some(DialError::Unreachable { cause: cause.to_string() });
    }
    too_small(addr.ip(), mtu(&socket, addr.ip()).ok()?)
}

/// The error of a dial over a path with this MTU. None if the MTU is large enough.
fn too_small(ip: IpAddr, mtu: u32) -> Option<DialError> {
    let needed = mtu_needed(ip);
    (mtu < needed).then_some(DialError::PathTooSmall { mtu, needed })
}

/// The packet size in bytes that a path to this address must carry for QUIC, with headers.
fn mtu_needed(ip: IpAddr) -> u32 {
    let ip_header = if ip.is_ipv4() { IPV4_HEADER_BYTES } else { IPV6_HEADER_BYTES };
    PAYLOAD_MIN + UDP_HEADER_BYTES + ip_header
}

/// The MTU of the path of a connected socket, in bytes.
#[cfg(target_os = "linux")]
fn mtu(socket: &UdpSocket, to: IpAddr) -> io::Result<u32> {
    use rustix::net::sockopt::{ip_mtu, ipv6_mtu};
    let mtu = if to.is_ipv4() { ip_mtu(socket) } else { ipv6_mtu(socket) };
    Ok(mtu?)
}

/// Other systems do not offer this value. Then no path counts as too small.
#[cfg(not(target_os = "linux"))]
fn mtu(_: &UdpSocket, _: IpAddr) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn mtu_below_1228_or_1248_is_too_small() {
        for (to, needed) in [("10.0.0.1", 1_228), ("fd00::1", 1_248)] {
            assert_eq!(too_small(ip(to), needed), None);
            let mtu = needed - 1;
            assert_eq!(too_small(ip(to), mtu), Some(DialError::PathTooSmall { mtu, needed }));
        }
    }

    #[test]
    fn loopback_path_has_no_fault() {
        for (local, to) in
            [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("::", "::ffff:127.0.0.1")]
        {
            assert_eq!(fault(ip(local), SocketAddr::new(ip(to), 7_946)), None, "{local} to {to}");
        }
    }

    #[test]
    fn other_address_family_is_unreachable() {
        let fault = fault(ip("127.0.0.1"), "[::1]:7946".parse().unwrap());
        assert!(matches!(fault, Some(DialError::Unreachable { .. })), "{fault:?}");
    }
}
