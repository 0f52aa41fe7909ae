//! The stream of one client: first the snapshot, or the events after the client's last one; then
//! each event. It is made as fast as the client reads.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::ring::Next;
use super::{EventId, frame};
use crate::api::chunks::MembersChunks;
use crate::api::state::{AppState, add};
use crate::api::views::LostView;

/// How many bytes are handed over at a time. The rest waits until the client has read.
const CHUNK_BYTES: usize = 4 * 1024;
/// After this time without an event the agent sends a comment, so that both sides notice when the
/// other one is gone.
const COMMENT_AFTER: Duration = Duration::from_secs(15);
/// How long a client should wait before it connects again, in milliseconds.
const RETRY: &[u8] = b"retry: 1000\n\n";

/// The stream of one client.
pub(crate) struct EventStream {
    state: AppState,
    signal: watch::Receiver<u64>,
    phase: Phase,
    /// The number of the last event that was handed over, or that the snapshot contains.
    place: u64,
    comment_at: Instant,
    _place_of_client: OwnedSemaphorePermit,
}

enum Phase {
    /// Nothing was sent.
    Begin { last: Option<EventId> },
    /// The snapshot comes next.
    Snapshot,
    /// The snapshot is being sent.
    Members(Box<MembersChunks>),
    /// Each event is sent as it comes.
    Follow,
}

impl EventStream {
    /// A stream that continues after the event `last`, or begins with a snapshot. `None` if there
    /// will be no more events, because the agent stops.
    pub(crate) fn new(
        state: AppState,
        last: Option<EventId>,
        place_of_client: OwnedSemaphorePermit,
    ) -> Option<Self> {
        let signal = state.events.signal()?;
        Some(Self {
            signal,
            phase: Phase::Begin { last },
            place: 0,
            comment_at: Instant::now() + COMMENT_AFTER,
            state,
            _place_of_client: place_of_client,
        })
    }

    /// The body of the response.
    pub(crate) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut stream| async move {
            let bytes = stream.next().await?;
            Some((Ok::<_, Infallible>(bytes), stream))
        }))
    }

    /// The next bytes. `None` when the agent stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match &mut self.phase {
                Phase::Begin { last } => {
                    let last = *last;
                    return Some(self.begin(last));
                }
                Phase::Snapshot => {
                    // The place before the snapshot: an event between the two is in both, and a
                    // client that applies it twice has the same view.
                    self.place = self.state.events.newest();
                    let id = EventId { run: self.state.events.run, number: self.place };
                    let head = format!("id: {id}\nevent: snapshot\ndata: ");
                    self.phase = Phase::Members(Box::new(MembersChunks::stated(&self.state)));
                    return Some(head.into());
                }
                Phase::Members(chunks) => {
                    if let Some(chunk) = chunks.next_chunk(CHUNK_BYTES) {
                        return Some(chunk);
                    }
                    self.phase = Phase::Follow;
                    return Some(Bytes::from_static(b"\n\n"));
                }
                Phase::Follow => {
                    if let Some(bytes) = self.follow().await? {
                        return Some(bytes);
                    }
                }
            }
        }
    }

    /// The first bytes.
    fn begin(&mut self, last: Option<EventId>) -> Bytes {
        let (run, newest) = (self.state.events.run, self.state.events.newest());
        let mut bytes = RETRY.to_vec();
        match last {
            Some(last) if last.run == run && last.number <= newest => {
                // The next step finds out whether the events after it are still kept.
                (self.place, self.phase) = (last.number, Phase::Follow);
            }
            Some(_) => {
                bytes.extend_from_slice(&frame(None, "lost", &LostView { count: None }));
                self.phase = Phase::Snapshot;
            }
            None => self.phase = Phase::Snapshot,
        }
        bytes.into()
    }

    /// The next events, or what was lost. `Some(None)` to look again.
    async fn follow(&mut self) -> Option<Option<Bytes>> {
        match self.state.events.after(self.place, CHUNK_BYTES) {
            Next::Events { frames, to } => {
                self.place = to;
                self.comment_at = Instant::now() + COMMENT_AFTER;
                match <[Bytes; 1]>::try_from(frames) {
                    Ok([frame]) => Some(Some(frame)),
                    Err(frames) => Some(Some(frames.concat().into())),
                }
            }
            Next::Lost { count } => {
                add(&self.state.counters.events_lost, count);
                self.phase = Phase::Snapshot;
                Some(Some(frame(None, "lost", &LostView { count: Some(count) })))
            }
            Next::Nothing => {
                tokio::select! {
                    changed = self.signal.changed() => changed.ok().map(|()| None),
                    () = sleep_until(self.comment_at) => {
                        self.comment_at = Instant::now() + COMMENT_AFTER;
                        Some(Some(Bytes::from_static(b":\n\n")))
                    }
                }
            }
        }
    }
}
