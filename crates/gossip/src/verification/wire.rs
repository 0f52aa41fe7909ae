//! The two messages about certificates. The driver answers them; the machine does not know them.
//! Their kinds come after those of the machine's messages (`docs/protocol.md`).

use bytes::Bytes;
use kinfolk_core::signed::Fingerprint;
use kinfolk_swim::{CodecError, codec};

/// The kind of a request for certificates, by their fingerprints.
pub(crate) const WANT_CERTIFICATES: u32 = 64;
/// The kind of its answer.
const CERTIFICATES: u32 = 65;

/// How many certificates one request asks for at most.
pub(crate) const WANTED_MAX: usize = 64;
/// The bytes of certificates in one answer, unless its first certificate has more. The frame of an
/// answer may have 64 KiB.
const ANSWER_BYTES_MAX: usize = 48 * 1024;

/// Encodes a request.
pub(super) fn want(fingerprints: &[Fingerprint]) -> Bytes {
    encode(&(WANT_CERTIFICATES, fingerprints))
}

/// Decodes a request. Bytes after it are fields of a later version.
///
/// # Errors
/// [`CodecError`] if it is not such a request, or asks for too many.
pub(crate) fn read_want(bytes: &[u8]) -> Result<Vec<Fingerprint>, CodecError> {
    let wanted: Vec<Fingerprint> = decode(WANT_CERTIFICATES, bytes)?;
    if wanted.len() > WANTED_MAX {
        return Err(CodecError::Rule("it asks for more than 64 certificates"));
    }
    Ok(wanted)
}

/// Encodes an answer with these certificates, as many as fit. The requester asks again for the
/// rest.
pub(crate) fn certificates(certificates: impl Iterator<Item = Bytes>) -> Bytes {
    let mut used = 0;
    let fits = |der: &Bytes| {
        let first = used == 0;
        used += der.len();
        first || used <= ANSWER_BYTES_MAX
    };
    encode(&(CERTIFICATES, certificates.take_while(fits).collect::<Vec<Bytes>>()))
}

/// Decodes an answer.
///
/// # Errors
/// [`CodecError`] if it is not such an answer, or has too many certificates.
pub(super) fn read_certificates(bytes: &[u8]) -> Result<Vec<Bytes>, CodecError> {
    let certificates: Vec<Bytes> = decode(CERTIFICATES, bytes)?;
    if certificates.len() > WANTED_MAX {
        return Err(CodecError::Rule("it has more than 64 certificates"));
    }
    Ok(certificates)
}

fn encode<T: serde::Serialize>(message: &T) -> Bytes {
    // Writing to memory cannot fail, and each of the types has an encoding.
    postcard::to_stdvec(message).unwrap_or_default().into()
}

fn decode<'a, T: serde::Deserialize<'a>>(kind: u32, bytes: &'a [u8]) -> Result<T, CodecError> {
    let found = codec::kind(bytes)?;
    if found != kind {
        return Err(CodecError::UnknownKind { kind: found });
    }
    let ((_, content), _later): ((u32, T), _) =
        postcard::take_from_bytes(bytes).map_err(CodecError::Malformed)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_and_answer_read_back_with_fields_of_a_later_version() {
        let wanted = [Fingerprint::of(b"a"), Fingerprint::of(b"b")];
        let mut bytes = want(&wanted).to_vec();
        assert_eq!(u32::from(bytes[0]), WANT_CERTIFICATES);
        bytes.extend_from_slice(b"later");
        assert_eq!(read_want(&bytes).unwrap(), wanted);
        let mut bytes =
            certificates([Bytes::from_static(b"one"), Bytes::from_static(b"two")].into_iter()).to_vec();
        bytes.extend_from_slice(b"later");
        assert_eq!(read_certificates(&bytes).unwrap(), ["one", "two"]);
    }

    #[test]
    fn request_for_more_than_64_is_refused() {
        assert!(read_want(&want(&[Fingerprint::of(b"a"); WANTED_MAX])).is_ok());
        assert!(matches!(
            read_want(&want(&[Fingerprint::of(b"a"); WANTED_MAX + 1])),
            Err(CodecError::Rule(_))
        ));
    }

    #[test]
    fn answer_has_as_many_certificates_as_fit() {
        let of = |len: usize| Bytes::from(vec![7; len]);
        let lengths =
            |answer: Bytes| read_certificates(&answer).unwrap().iter().map(Bytes::len).collect::<Vec<_>>();
        let half = ANSWER_BYTES_MAX / 2;
        assert_eq!(lengths(certificates([of(half), of(half), of(1)].into_iter())), [half, half]);
        let more = ANSWER_BYTES_MAX + 1;
        assert_eq!(lengths(certificates([of(more), of(1)].into_iter())), [more]);
    }

    #[test]
    fn other_message_is_no_request_for_certificates() {
        assert_eq!(read_want(&[4, 0]), Err(CodecError::UnknownKind { kind: 4 }));
        assert!(read_certificates(&want(&[])).is_err());
        assert!(matches!(read_want(&[]), Err(CodecError::Malformed(_))));
    }
}
