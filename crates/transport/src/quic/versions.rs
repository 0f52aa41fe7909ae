//! The listener's choice of the protocol's version (ALPN), where the TLS library needs help: with a
//! dialler that offers no version of this node.
//!
//! s2n-quic keeps a new connection only once its first packet is processed. If TLS fails within
//! that packet, it drops the connection and sends nothing. The dialler would wait until its
//! time-out and take this node for a dead one. So the handshake with such a dialler pauses once.
//! Then it fails on a kept connection, and the dialler gets the reason.

use std::pin::Pin;
use std::task::{Context, Poll};

use s2n_tls::callbacks::{ClientHelloCallback, ConnectionFuture};
use s2n_tls::connection::Connection;
use s2n_tls::error::Error;

/// The type of the extension with the offered versions (RFC 7301, section 3.1).
const ALPN: usize = 16;

/// The bytes of a `ClientHello` before its session id: a version and a random number (RFC 8446,
/// section 4.1.2).
const FIXED_BYTES: usize = 2 + 32;

/// Pauses each handshake that cannot agree on a version.
pub(super) struct Versions(Vec<String>);

impl Versions {
    /// The versions that this node speaks.
    pub(super) fn new(versions: &[&str]) -> Self {
        Self(versions.iter().map(|&version| version.to_owned()).collect())
    }
}

impl ClientHelloCallback for Versions {
    fn on_client_hello(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<Pin<Box<dyn ConnectionFuture>>>, Error> {
        let hello = connection.client_hello()?.raw_message()?;
        let known = |offer: &[u8]| self.0.iter().any(|version| version.as_bytes() == offer);
        if offers(&hello).is_some_and(|offers| offers.into_iter().any(known)) {
            return Ok(None);
        }
        Ok(Some(Box::pin(Pause { is_over: false })))
    }
}

/// Lets s2n-quic run once before the handshake goes on.
struct Pause {
    is_over: bool,
}

impl ConnectionFuture for Pause {
    fn poll(mut self: Pin<&mut Self>, _: &mut Connection, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The versions that a `ClientHello` offers. `None` if it cannot be read, or offers none.
fn offers(hello: &[u8]) -> Option<Vec<&[u8]>> {
    let (_, rest) = hello.split_at_checked(FIXED_BYTES)?;
    let (_session, rest) = vector(rest, 1)?;
    let (_ciphers, rest) = vector(rest, 2)?;
    let (_compression, rest) = vector(rest, 1)?;
    let (mut extensions, _) = vector(rest, 2)?;
    loop {
        let (kind, rest) = number(extensions, 2)?;
        let (extension, rest) = vector(rest, 2)?;
        if kind == ALPN {
            return names(vector(extension, 2)?.0);
        }
        extensions = rest;
    }
}

fn names(mut list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut names = Vec::new();
    while !list.is_empty() {
        let (name, rest) = vector(list, 1)?;
        names.push(name);
        list = rest;
    }
    Some(names)
}

/// A vector of TLS with a length of this many bytes, and what follows it.
fn vector(bytes: &[u8], length_bytes: usize) -> Option<(&[u8], &[u8])> {
    let (len, rest) = number(bytes, length_bytes)?;
    rest.split_at_checked(len)
}

/// A number of this many bytes, and what follows it.
fn number(bytes: &[u8], len: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(len)?;
    Some((digits.iter().fold(0, |number, digit| number << 8 | usize::from(*digit)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `ClientHello` with a session id of 1 byte, 1 cipher, and these extensions.
    fn hello(extensions: &[u8]) -> Vec<u8> {
        let len = u16::try_from(extensions.len()).unwrap().to_be_bytes();
        [&[0; FIXED_BYTES][..], &[1, 7], &[0, 2, 0x13, 1], &[1, 0], &len, extensions].concat()
    }

    #[test]
    fn offered_versions_are_read() {
        let other = [0, 43, 0, 2, 9, 9];
        let alpn = [0, 16, 0, 7, 0, 5, 1, b'a', 2, b'b', b'c'];
        let hello = hello(&[&other[..], &alpn].concat());
        assert_eq!(offers(&hello), Some(vec![&b"a"[..], b"bc"]));
        for len in 0..hello.len() {
            assert_eq!(offers(&hello[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn hello_without_versions_offers_none() {
        assert_eq!(offers(&hello(&[])), None);
        assert_eq!(offers(&hello(&[0, 43, 0, 0])), None);
        assert_eq!(offers(&hello(&[0, 16, 0, 2, 0, 0])), Some(Vec::new()));
    }
}
