//! The latest events, as they are sent to clients. All clients share the bytes; each has only its
//! place.

use std::collections::VecDeque;

use bytes::Bytes;

/// The most events that are kept.
const EVENTS_MAX: usize = 1_024;
/// The most bytes that they may take: an event with all tags that a member may have takes 17 KiB.
const BYTES_MAX: usize = 512 * 1024;

/// The latest events. The first one ever has the number 1.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Bytes>,
    bytes: usize,
    /// The number of the newest event. 0 before the first one.
    newest: u64,
}

/// What comes after a place in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These events. The last one has the number `to`.
    Events { frames: Vec<Bytes>, to: u64 },
    /// The next `count` events are not kept any more.
    Lost { count: u64 },
    /// Nothing yet.
    Nothing,
}

impl Ring {
    /// The number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Adds an event. The oldest ones go when a bound is met, but never this one.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.newest += 1;
        self.bytes += frame.len();
        self.events.push_back(frame);
        while self.events.len() > EVENTS_MAX || (self.bytes > BYTES_MAX && self.events.len() > 1) {
            let oldest = self.events.pop_front().expect("there are events");
            self.bytes -= oldest.len();
        }
    }

    /// The events after the one with the number `place`, up to about `bytes_max` bytes.
    pub(super) fn after(&self, place: u64, bytes_max: usize) -> Next {
        let missing = self.newest.saturating_sub(place);
        let kept = self.events.len() as u64;
        if missing == 0 {
            return Next::Nothing;
        }
        if missing > kept {
            return Next::Lost { count: missing };
        }
        let skip = usize::try_from(kept - missing).expect("it is at most the number of kept events");
        let (mut frames, mut bytes) = (Vec::new(), 0);
        for frame in self.events.iter().skip(skip) {
            if bytes >= bytes_max {
                break;
            }
            bytes += frame.len();
            frames.push(frame.clone());
        }
        let to = place + frames.len() as u64;
        Next::Events { frames, to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Bytes {
        Bytes::from(vec![b'x'; len])
    }

    #[test]
    fn events_come_once_and_in_order() {
        let mut ring = Ring::default();
        assert_eq!(ring.after(0, 100), Next::Nothing);
        for byte in [b"a", b"b", b"c"] {
            ring.push(Bytes::from_static(byte));
        }
        let frames = |bytes: &[&'static [u8]]| bytes.iter().map(|bytes| Bytes::from_static(bytes)).collect();
        assert_eq!(ring.after(0, 2), Next::Events { frames: frames(&[b"a", b"b"]), to: 2 });
        assert_eq!(ring.after(2, 2), Next::Events { frames: frames(&[b"c"]), to: 3 });
        assert_eq!(ring.after(3, 2), Next::Nothing);
    }

    #[test]
    fn oldest_events_go_and_are_counted_as_lost() {
        let mut ring = Ring::default();
        for _ in 0..=EVENTS_MAX {
            ring.push(frame(1));
        }
        assert_eq!(ring.after(0, 1), Next::Lost { count: EVENTS_MAX as u64 + 1 });
        assert!(matches!(ring.after(1, 1), Next::Events { to: 2, .. }), "the second one is kept");
    }

    #[test]
    fn bytes_are_bounded_and_the_newest_event_is_kept() {
        let mut ring = Ring::default();
        for _ in 0..3 {
            ring.push(frame(BYTES_MAX / 2));
        }
        assert_eq!(ring.after(0, 1), Next::Lost { count: 3 });
        assert!(matches!(ring.after(1, usize::MAX), Next::Events { to: 3, .. }));
        ring.push(frame(BYTES_MAX * 2));
        assert_eq!(ring.after(2, 1), Next::Lost { count: 2 });
        assert!(matches!(ring.after(3, 1), Next::Events { to: 4, .. }));
    }
}
