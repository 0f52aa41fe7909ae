//! The bytes on a stream. Pure: bytes in, bytes out.
//!
//! A stream begins with one byte that states its kind and its traffic class. One frame follows. A
//! kept stream carries many requests, one after another, and each of them begins with such a byte.
//!
//! A frame is the length of its body (`u32`, big-endian), a version byte, and the body. This module
//! does not interpret the body.

use bytes::{BufMut as _, Bytes, BytesMut};
use thiserror::Error;

use crate::traffic::Traffic;

/// The version of the frame's layout and of the messages inside it.
pub const FRAME_VERSION: u8 = 1;

/// The number of bytes before the body: the length (4) and the version (1).
pub const HEADER_BYTES: usize = 5;

/// The kind of a stream: the lower half of its first byte. The upper half states the [traffic
/// class](Traffic) of its first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum StreamKind {
    /// One request frame and one answer frame (on a bidirectional stream).
    Request = 1,
    /// One frame without an answer (on a unidirectional stream).
    OneWay = 2,
    /// Bytes of an application, in both directions (on a bidirectional stream).
    Application = 3,
    /// A *kept stream*: several requests, one after another, and their answers (on a bidirectional
    /// stream). Each request begins with this byte.
    Kept = 4,
}

/// The first byte of a stream, or of a request on a kept stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// The kind of the stream.
    pub kind: StreamKind,
    /// The traffic class of the frame that follows.
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

/// The bytes are not a valid frame.
///
/// After such an error the stream is unusable. The connection stays usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The body is longer than the limit. The check comes before any memory is allocated for the
    /// body.
    ///
    /// What to do: send a smaller message, or raise `frame_bytes_max` on every node.
    #[error(
        "the body of a frame has {len} bytes, over the limit of {max}; send less, or raise `frame_bytes_max` \
         on every node"
    )]
    TooLarge {
        /// The length of the body in bytes: the real length, or the length that the frame claims.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The frame has another version than this node.
    ///
    /// What to do: upgrade the older node.
    #[error("a frame has version {found}, and this node supports {FRAME_VERSION}; upgrade the older node")]
    Version {
        /// The version in the frame.
        found: u8,
    },
    /// The stream begins with an unknown kind.
    ///
    /// What to do: upgrade the older node.
    #[error("a stream has kind {found}, which this node does not support; upgrade the older node")]
    Kind {
        /// The kind in the stream's first byte.
        found: u8,
    },
    /// An application stream begins with a name that no service can have.
    ///
    /// What to do: correct the service name in the program that opens the stream.
    #[error(
        "a stream asks for a service with an invalid name; give 1 to 63 of a-z, 0-9, '-', '_', '.' and '/'"
    )]
    Service,
    /// The stream ended before the frame was complete.
    ///
    /// What to do: nothing for a single case. If it repeats, look at the peer's log for a crash or
    /// a shutdown.
    #[error("the stream ended after {have} bytes, in the middle of a frame; see the log of the peer")]
    Truncated {
        /// The number of bytes that arrived.
        have: usize,
    },
    /// More bytes arrived after the frame.
    ///
    /// What to do: check that the peer runs a compatible version.
    #[error("{extra} bytes follow the frame, where one frame is expected; check the version of the peer")]
    Trailing {
        /// The number of surplus bytes when the reader found them.
        extra: usize,
    },
}

/// Whether a sender may send a body of `len` bytes under the limit `max`. Returns the length.
///
/// # Errors
/// [`FrameError::TooLarge`] if not.
pub(crate) fn check(len: usize, max: usize) -> Result<u32, FrameError> {
    // The length must also fit the four bytes on the wire.
    u32::try_from(len).ok().filter(|_| len <= max).ok_or(FrameError::TooLarge { len, max })
}

/// Writes a frame. If `begin` is given, its byte comes first.
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

/// Assembles a frame from the pieces that a stream delivers.
///
/// It holds at most one frame, and allocates memory only for bytes that arrived. A peer that claims
/// a long body and sends nothing costs no memory.
#[derive(Debug)]
pub struct FrameReader {
    held: BytesMut,
    max: usize,
}

impl FrameReader {
    /// Creates a reader that refuses bodies of more than `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { held: BytesMut::new(), max }
    }

    /// Takes the next piece. Returns the body when the frame is complete, and `None` before.
    ///
    /// # Errors
    /// [`FrameError`]. The reader is unusable afterwards.
    pub fn push(&mut self, piece: &Bytes) -> Result<Option<Bytes>, FrameError> {
        if self.held.is_empty() {
            // The usual case: the whole frame is in one piece. The reader shares the body and does
            // not copy it.
            if let Some(end) = self.end_of(piece)? {
                return Ok(Some(piece.slice(HEADER_BYTES..end)));
            }
        }
        // Copy only a frame in several pieces, because its body must be contiguous.
        self.held.extend_from_slice(piece);
        let end = self.end_of(&self.held)?;
        Ok(end.map(|end| self.held.split_to(end).freeze().slice(HEADER_BYTES..)))
    }

    /// The error to report if the stream ends before a frame is complete.
    pub fn ended(&self) -> FrameError {
        FrameError::Truncated { have: self.held.len() }
    }

    /// The end of the frame in `bytes`, if the frame is complete.
    fn end_of(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some((len, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len) as usize;
        // Check the length before the body arrives: the claim of a peer must not make this node
        // wait or allocate.
        if len > self.max {
            return Err(FrameError::TooLarge { len, max: self.max });
        }
        if let Some(&found) = rest.first().filter(|&&version| version != FRAME_VERSION) {
            return Err(FrameError::Version { found });
        }
        let end = HEADER_BYTES + len;
        match bytes.len().checked_sub(end) {
            Some(0) => Ok(Some(end)),
            // A sender waits for the answer before its next frame, so surplus bytes are an error.
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
    fn body_over_the_limit_is_refused() {
        let frame = encode(None, &[7; MAX], MAX).unwrap();
        assert_eq!(read(&[&frame]).unwrap().unwrap(), vec![7; MAX]);
        assert_eq!(encode(None, &[7; MAX + 1], MAX), Err(FrameError::TooLarge { len: MAX + 1, max: MAX }));
        let frame = encode(None, &[7; MAX + 1], MAX + 1).unwrap();
        assert_eq!(read(&[&frame]), Err(FrameError::TooLarge { len: MAX + 1, max: MAX }));
    }

    #[test]
    fn length_over_the_limit_is_refused_before_the_body() {
        assert!(matches!(read(&[&u32::MAX.to_be_bytes()]), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn invalid_frames_are_refused() {
        assert_eq!(read(&[&[0, 0, 0, 1, 9, 0]]), Err(FrameError::Version { found: 9 }));
        assert_eq!(read(&[&[0, 0, 0, 1, FRAME_VERSION, 0, 0]]), Err(FrameError::Trailing { extra: 1 }));
        assert_eq!(Beginning::try_from(0x30), Err(FrameError::Kind { found: 0 }));
        assert_eq!(Beginning::try_from(5), Err(FrameError::Kind { found: 5 }));
        let mut reader = FrameReader::new(MAX);
        assert_eq!(reader.push(&Bytes::from_static(&[0, 0, 0, 1, FRAME_VERSION])), Ok(None));
        assert_eq!(reader.ended(), FrameError::Truncated { have: 5 });
    }

    #[test]
    fn first_byte_holds_kind_and_traffic() {
        let begin = Beginning { kind: StreamKind::OneWay, traffic: Traffic::AntiEntropy };
        let bytes = encode(Some(begin), b"x", MAX).unwrap();
        assert_eq!(&bytes[..], [0x32, 0, 0, 0, 1, FRAME_VERSION, b'x']);
        assert_eq!(Beginning::try_from(0x32), Ok(begin));
        let later = Beginning { traffic: Traffic::Other, ..begin };
        assert_eq!(Beginning::try_from(0xF2), Ok(later), "a class that a later version adds");
    }

    proptest! {
        #[test]
        fn frame_reads_back_however_it_is_cut(body in prop::collection::vec(any::<u8>(), 0..MAX), cut in 0usize..MAX) {
            let frame = encode(None, &body, MAX).unwrap();
            let (one, two) = frame.split_at(cut.min(frame.len()));
            let pieces: Vec<&[u8]> = [one, two].into_iter().filter(|piece| !piece.is_empty()).collect();
            prop_assert_eq!(read(&pieces).unwrap().unwrap(), body);
        }

        #[test]
        fn arbitrary_bytes_never_panic_the_reader(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..9)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = read(&pieces);
        }
    }
}
