//! What stands on a stream: one byte that says what kind of stream it is and what for, then one frame (on a kept stream as many as
//! there are requests, each with such a byte). A frame is its body's length
//! (`u32`, big-endian), a version byte, and the body, which is opaque here. Pure: bytes in, bytes out.

use bytes::{BufMut as _, Bytes, BytesMut};
use thiserror::Error;

use crate::traffic::Traffic;

/// The version of the frame's layout and of what stands inside it.
pub const FRAME_VERSION: u8 = 1;

/// Bytes before the body: the length and the version.
pub const HEADER_BYTES: usize = 5;

/// What a stream is: the lower half of its first byte. The upper half says what its first frame is [for](Traffic).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum StreamKind {
    /// A frame that a frame answers (on a bidirectional stream).
    Request = 1,
    /// A frame without an answer (on a unidirectional stream).
    OneWay = 2,
    /// Bytes of an application, in both directions (on a bidirectional stream).
    Application = 3,
    /// Requests one after another, each begun with this byte, and their answers (on a bidirectional stream).
    Kept = 4,
}

/// The first byte of a stream or of a request on a kept one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// What kind of stream it is.
    pub kind: StreamKind,
    /// What the frame after it is for.
    pub traffic: Traffic,
}

impl From<Beginning> for u8 {
    fn from(Beginning { kind, traffic }: Beginning) -> Self {
        kind as Self | (traffic as Self) << 4
    }
}

impl TryFrom<u8> for Beginning {
    type Error = FrameError;

    fn try_from(byte: u8) -> Result<Self, FrameError> {
        Ok(Self { kind: StreamKind::try_from(byte & 0xF)?, traffic: Traffic::of_byte(byte >> 4) })
    }
}

impl TryFrom<u8> for StreamKind {
    type Error = FrameError;

    fn try_from(byte: u8) -> Result<Self, FrameError> {
        match byte {
            1 => Ok(Self::Request),
            2 => Ok(Self::OneWay),
            3 => Ok(Self::Application),
            4 => Ok(Self::Kept),
            found => Err(FrameError::Kind { found }),
        }
    }
}

/// Bytes that are no frame. The stream that carried them is of no further use; the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The body is longer than the limit. Found before anything is allocated for it.
    #[error("a body of {len} bytes: the limit is {max}; send less, or raise `frame_bytes_max` on every node")]
    TooLarge {
        /// The length of the body in bytes, as it is or as the frame claims it.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The frame has another version.
    #[error("a frame of version {found}: this node speaks version {FRAME_VERSION}; upgrade the older node")]
    Version {
        /// The version found.
        found: u8,
    },
    /// The stream begins with an unknown kind.
    #[error("a stream of kind {found}, which this node does not know; upgrade the older node")]
    Kind {
        /// The byte found.
        found: u8,
    },
    /// An application's stream begins with a name that no service can have.
    #[error("a stream to a service whose name is not 1 to 63 of a-z, 0-9, '-', '_', '.' and '/'")]
    Service,
    /// The stream ended before the frame did.
    #[error("the stream ended after {have} bytes, in the middle of a frame")]
    Truncated {
        /// How many bytes there were.
        have: usize,
    },
    /// More bytes came after the frame.
    #[error("{extra} bytes follow the frame: a stream carries one")]
    Trailing {
        /// How many there were when it was noticed.
        extra: usize,
    },
}

/// Whether a body of `len` bytes may be sent where the limit is `max`.
///
/// # Errors
/// [`FrameError::TooLarge`] if not.
pub(crate) fn check(len: usize, max: usize) -> Result<u32, FrameError> {
    u32::try_from(len).ok().filter(|_| len <= max).ok_or(FrameError::TooLarge { len, max })
}

/// Writes a frame, after the byte that it begins with if it does.
///
/// # Errors
/// [`FrameError::TooLarge`] if the body is over `max` bytes (or over `u32::MAX`).
pub fn encode(begin: Option<Beginning>, body: &[u8], max: usize) -> Result<Bytes, FrameError> {
    let len = check(body.len(), max)?;
    let mut bytes = BytesMut::with_capacity(1 + HEADER_BYTES + body.len());
    if let Some(begin) = begin {
        bytes.put_u8(begin.into());
    }
    bytes.put_u32(len);
    bytes.put_u8(FRAME_VERSION);
    bytes.put_slice(body);
    Ok(bytes.freeze())
}

/// Puts a frame together from the pieces that a stream delivers. Holds at most one frame of the limit's size, and
/// allocates no more than has arrived.
#[derive(Debug)]
pub struct FrameReader {
    held: BytesMut,
    max: usize,
}

impl FrameReader {
    /// A reader that refuses bodies of more than `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { held: BytesMut::new(), max }
    }

    /// Takes the next piece. `Some` is the body, once all of it is there.
    ///
    /// # Errors
    /// [`FrameError`], after which the reader is of no further use.
    pub fn push(&mut self, piece: &Bytes) -> Result<Option<Bytes>, FrameError> {
        if self.held.is_empty() {
            // The usual case, the whole frame in one piece: its body is shared, not copied.
            if let Some(end) = self.end_of(piece)? {
                return Ok(Some(piece.slice(HEADER_BYTES..end)));
            }
        }
        self.held.extend_from_slice(piece);
        let end = self.end_of(&self.held)?;
        Ok(end.map(|end| self.held.split_to(end).freeze().slice(HEADER_BYTES..)))
    }

    /// What it means that the stream ended and no frame is complete.
    pub fn ended(&self) -> FrameError {
        FrameError::Truncated { have: self.held.len() }
    }

    /// Where the frame in `bytes` ends, if all of it is there.
    fn end_of(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some((len, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len) as usize;
        if len > self.max {
            return Err(FrameError::TooLarge { len, max: self.max });
        }
        if let Some(&found) = rest.first().filter(|&&version| version != FRAME_VERSION) {
            return Err(FrameError::Version { found });
        }
        let end = HEADER_BYTES + len;
        match bytes.len().checked_sub(end) {
            Some(0) => Ok(Some(end)),
            Some(extra) => Err(FrameError::Trailing { extra }),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 100;

    fn read(pieces: &[&[u8]]) -> Result<Option<Bytes>, FrameError> {
        let mut reader = FrameReader::new(MAX);
        let mut whole = None;
        for piece in pieces {
            whole = reader.push(&Bytes::copy_from_slice(piece))?;
        }
        Ok(whole)
    }

    #[test]
    fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
        let frame = encode(None, &[7; MAX], MAX).unwrap();
        assert_eq!(read(&[&frame]).unwrap().unwrap(), vec![7; MAX]);
        assert_eq!(encode(None, &[7; MAX + 1], MAX), Err(FrameError::TooLarge { len: MAX + 1, max: MAX }));
        let frame = encode(None, &[7; MAX + 1], MAX + 1).unwrap();
        assert_eq!(read(&[&frame]), Err(FrameError::TooLarge { len: MAX + 1, max: MAX }));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_body_arrives() {
        assert!(matches!(read(&[&u32::MAX.to_be_bytes()]), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn serialization_failure_is_an_error() {
        assert_eq!(read(&[&[0, 0, 0, 1, 9, 0]]), Err(FrameError::Version { found: 9 }));
        assert_eq!(read(&[&[0, 0, 0, 1, FRAME_VERSION, 0, 0]]), Err(FrameError::Trailing { extra: 1 }));
        assert_eq!(Beginning::try_from(0x30), Err(FrameError::Kind { found: 0 }));
        assert_eq!(Beginning::try_from(5), Err(FrameError::Kind { found: 5 }));
        let mut reader = FrameReader::new(MAX);
        assert_eq!(reader.push(&Bytes::from_static(&[0, 0, 0, 1, FRAME_VERSION])), Ok(None));
        assert_eq!(reader.ended(), FrameError::Truncated { have: 5 });
    }

    #[test]
    fn a_stream_begins_with_its_kind() {
        let begin = Beginning { kind: StreamKind::OneWay, traffic: Traffic::Comparison };
        let bytes = encode(Some(begin), b"x", MAX).unwrap();
        assert_eq!(&bytes[..], [0x32, 0, 0, 0, 1, FRAME_VERSION, b'x']);
        assert_eq!(Beginning::try_from(0x32), Ok(begin));
        let later = Beginning { traffic: Traffic::Other, ..begin };
        assert_eq!(Beginning::try_from(0xF2), Ok(later), "a purpose that a later release knows");
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_however_it_is_cut(body in prop::collection::vec(any::<u8>(), 0..MAX), cut in 0usize..MAX) {
            let frame = encode(None, &body, MAX).unwrap();
            let (one, two) = frame.split_at(cut.min(frame.len()));
            let pieces: Vec<&[u8]> = [one, two].into_iter().filter(|piece| !piece.is_empty()).collect();
            prop_assert_eq!(read(&pieces).unwrap().unwrap(), body);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..9)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = read(&pieces);
        }
    }
}
