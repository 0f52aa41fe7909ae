//! The first bytes of an application stream. Pure: bytes in, bytes out.
//!
//! The opener sends the name of the service that it wants. The accepter answers with one byte that
//! confirms it. All later bytes belong to the application.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::frame::{FRAME_VERSION, FrameError, StreamKind};

/// The longest name of a service in bytes.
pub const SERVICE_BYTES_MAX: usize = 63;

/// The byte that the accepter sends first. To refuse, it resets the stream instead.
pub(crate) const ACCEPTED: u8 = 1;

/// Whether `name` is a valid service name: 1 to 63 of `a-z`, `0-9`, `-`, `_`, `.` and `/`.
pub(crate) fn is_service(name: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/');
    (1..=SERVICE_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// The first bytes of a stream to `service`, with the stream kind. None if the name is not valid.
pub(crate) fn encode(service: &str) -> Option<Bytes> {
    let len = u8::try_from(service.len()).ok().filter(|_| is_service(service))?;
    let mut bytes = BytesMut::with_capacity(3 + service.len());
    // The upper half stays 0: application streams have a counter of their own, so the byte needs no
    // traffic class.
    bytes.put_u8(StreamKind::Application as u8);
    bytes.put_u8(FRAME_VERSION);
    bytes.put_u8(len);
    bytes.put_slice(service.as_bytes());
    Some(bytes.freeze())
}

/// Reads the bytes after the stream kind. Returns the service's name and the number of bytes that
/// the name took, once all of them arrived.
///
/// # Errors
/// [`FrameError`]: another version, or an invalid service name.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(&str, usize)>, FrameError> {
    let Some((&version, rest)) = bytes.split_first() else { return Ok(None) };
    // Another version may use another layout after this byte, so stop here.
    if version != FRAME_VERSION {
        return Err(FrameError::Version { found: version });
    }
    let Some((&len, rest)) = rest.split_first() else { return Ok(None) };
    let len = usize::from(len);
    // Check the length before the name arrives. It bounds what this node holds for a stream of an
    // unknown service.
    if !(1..=SERVICE_BYTES_MAX).contains(&len) {
        return Err(FrameError::Service);
    }
    let Some(name) = rest.get(..len) else { return Ok(None) };
    let name = std::str::from_utf8(name).ok().filter(|name| is_service(name)).ok_or(FrameError::Service)?;
    Ok(Some((name, 2 + len)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn service_name_over_63_bytes_is_refused() {
        assert!(is_service(&"a".repeat(SERVICE_BYTES_MAX)));
        assert!(!is_service(&"a".repeat(SERVICE_BYTES_MAX + 1)));
        assert!(is_service("files/v1.2_x-y"));
        assert!(!is_service("") && !is_service("Files") && !is_service("a b") && !is_service("\u{e4}"));
    }

    #[test]
    fn invalid_hello_is_refused() {
        assert_eq!(decode(&[9]), Err(FrameError::Version { found: 9 }));
        assert_eq!(decode(&[FRAME_VERSION, 0]), Err(FrameError::Service));
        assert_eq!(decode(&[FRAME_VERSION, 64]), Err(FrameError::Service));
        assert_eq!(decode(&[FRAME_VERSION, 1, b' ']), Err(FrameError::Service));
        assert_eq!(decode(&[FRAME_VERSION, 2, b'a']), Ok(None));
    }

    proptest! {
        #[test]
        fn hello_reads_back_and_later_bytes_stay(name in "[a-z0-9._/-]{1,63}", rest in prop::collection::vec(any::<u8>(), 0..9)) {
            let hello = encode(&name).unwrap();
            prop_assert_eq!(hello[0], StreamKind::Application as u8);
            let bytes = [&hello[1..], &rest[..]].concat();
            prop_assert_eq!(decode(&bytes), Ok(Some((name.as_str(), hello.len() - 1))));
        }

        #[test]
        fn arbitrary_bytes_never_panic_decode(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }
}
