//! How a stream of an application begins: which service the opener wants, and the accepter's word that it is taken. After
//! that the bytes belong to the application. Pure: bytes in, bytes out.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::frame::{FRAME_VERSION, FrameError, StreamKind};

/// The longest name of a service in bytes.
pub const SERVICE_BYTES_MAX: usize = 63;

/// What the accepter sends before anything else. A refusal is a reset of the stream instead.
pub(crate) const TAKEN: u8 = 1;

/// Whether `name` can name a service: 1 to 63 of `a-z`, `0-9`, `-`, `_`, `.` and `/`.
pub(crate) fn is_service(name: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/');
    (1..=SERVICE_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// The beginning of a stream to `service`, its kind included. None if that is no service's name.
pub(crate) fn encode(service: &str) -> Option<Bytes> {
    let len = u8::try_from(service.len()).ok().filter(|_| is_service(service))?;
    let mut bytes = BytesMut::with_capacity(3 + service.len());
    bytes.put_u8(StreamKind::Application as u8);
    bytes.put_u8(FRAME_VERSION);
    bytes.put_u8(len);
    bytes.put_slice(service.as_bytes());
    Some(bytes.freeze())
}

/// Reads what follows the kind. `Some` is the service's name and how many bytes it took, once all of it is there.
///
/// # Errors
/// [`FrameError`]: another version, or a name that cannot be one.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(&str, usize)>, FrameError> {
    let Some((&version, rest)) = bytes.split_first() else { return Ok(None) };
    if version != FRAME_VERSION {
        return Err(FrameError::Version { found: version });
    }
    let Some((&len, rest)) = rest.split_first() else { return Ok(None) };
    let len = usize::from(len);
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
    fn a_name_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(is_service(&"a".repeat(SERVICE_BYTES_MAX)));
        assert!(!is_service(&"a".repeat(SERVICE_BYTES_MAX + 1)));
        assert!(is_service("files/v1.2_x-y"));
        assert!(!is_service("") && !is_service("Files") && !is_service("a b") && !is_service("\u{e4}"));
    }

    #[test]
    fn what_is_no_hello_is_told_apart() {
        assert_eq!(decode(&[9]), Err(FrameError::Version { found: 9 }));
        assert_eq!(decode(&[FRAME_VERSION, 0]), Err(FrameError::Service));
        assert_eq!(decode(&[FRAME_VERSION, 64]), Err(FrameError::Service));
        assert_eq!(decode(&[FRAME_VERSION, 1, b' ']), Err(FrameError::Service));
        assert_eq!(decode(&[FRAME_VERSION, 2, b'a']), Ok(None));
    }

    proptest! {
        #[test]
        fn a_hello_reads_back_and_what_follows_it_stays(name in "[a-z0-9._/-]{1,63}", rest in prop::collection::vec(any::<u8>(), 0..9)) {
            let hello = encode(&name).unwrap();
            prop_assert_eq!(hello[0], StreamKind::Application as u8);
            let bytes = [&hello[1..], &rest[..]].concat();
            prop_assert_eq!(decode(&bytes), Ok(Some((name.as_str(), hello.len() - 1))));
        }

        #[test]
        fn no_bytes_make_the_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }
}
