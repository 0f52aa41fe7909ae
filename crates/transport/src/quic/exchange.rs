//! Requests, messages, and streams to peers, each within its deadline.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument as _, debug, debug_span};

use super::endpoint::Transport;
use super::hub::Stage;
use super::peer::Request;
use super::streams::{self, AppStream};
use crate::frame;
use crate::hello;
use crate::peer::{Peer, Target};
use crate::pool::{CloseReason, Connection as _, Lane, Route, Side, Taken};
use crate::request::{Ending, Phase, RequestError, RequestOptions};
use crate::stats::add;

/// The longest deadline, one year. A longer `Duration` could overflow the clock.
const DEADLINE_MAX: Duration = Duration::from_hours(365 * 24);

/// What kind of exchange a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    /// A request: the peer's answer comes back.
    Request,
    /// A message: the peer's transport acknowledges it, and no frame comes back.
    OneWay,
}

impl Transport {
    /// Sends `body` to `peer` and waits for its answer, for at most `deadline` in total, which
    /// includes the dial.
    ///
    /// If the request crosses the peer's close of an idle connection, the transport sends it a
    /// second time.
    ///
    /// # Errors
    /// [`RequestError`]; its [`evidence`](RequestError::evidence) says what the failure shows about
    /// the peer. The peer may have acted on the request, unless the error says that nothing was
    /// sent, or that the peer rejected it.
    ///
    /// A time-out does not end the connection. The next request dials again only after the peer
    /// has acknowledged nothing for [`unacknowledged_max`](crate::PoolConfig::unacknowledged_max).
    ///
    /// # Cancel safety
    /// Dropping the future frees its stream and its place in the pool. The peer may or may not act
    /// on the request.
    pub async fn request(&self, peer: &Peer, body: Bytes, deadline: Duration) -> Result<Bytes, RequestError> {
        self.request_with(peer, body, deadline, RequestOptions::default()).await
    }

    /// As [`request`](Self::request), with options.
    ///
    /// # Errors
    /// As [`request`](Self::request); also [`NotConnected`](RequestError::NotConnected) with
    /// [`Need::OpenOnly`](crate::Need::OpenOnly).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn request_with(
        &self,
        peer: &Peer,
        body: Bytes,
        deadline: Duration,
        manner: RequestOptions,
    ) -> Result<Bytes, RequestError> {
        let span = debug_span!("request", %peer, traffic = ?manner.traffic, trace = Empty);
        let exchange = self.exchange(peer, Exchange::Request, &body, (deadline, manner)).instrument(span);
        let outcome = self.counted(|| peer.into(), exchange).await;
        // `exchange` returns a reply for each successful request.
        outcome.map(Option::unwrap_or_default)
    }

    /// Sends `body` to `peer`, without an answer. Returns when the peer's transport has received
    /// all of it. The application there may not have read it yet.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn send(&self, peer: &Peer, body: Bytes, deadline: Duration) -> Result<(), RequestError> {
        self.send_with(peer, body, deadline, RequestOptions::default()).await
    }

    /// As [`send`](Self::send), with options.
    ///
    /// # Errors
    /// As [`request_with`](Self::request_with).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn send_with(
        &self,
        peer: &Peer,
        body: Bytes,
        deadline: Duration,
        manner: RequestOptions,
    ) -> Result<(), RequestError> {
        let span = debug_span!("message", %peer);
        let exchange = self.exchange(peer, Exchange::OneWay, &body, (deadline, manner)).instrument(span);
        self.counted(|| peer.into(), exchange).await.map(|_| ())
    }

    /// Dials an address whose node is not known, such as a seed. Returns the name in its
    /// certificate. The connection stays in the pool under that name.
    ///
    /// # Errors
    /// [`RequestError`], as for a request. If the address belongs to this node itself, it is
    /// [`Connect`](RequestError::Connect) with [`OwnName`](crate::DialError::OwnName).
    ///
    /// # Cancel safety
    /// Dropping the future cancels the dial.
    pub async fn identify(&self, addr: SocketAddr, deadline: Duration) -> Result<NodeId, RequestError> {
        let dial = self.dial_address(addr, deadline).instrument(debug_span!("identify", %addr));
        self.counted(|| Target { id: None, addr: addr.into() }, dial).await
    }

    /// Opens a stream to a service of `peer` within `deadline`, which includes the dial.
    ///
    /// Returns when the peer's transport has put the stream into the service's backlog. The
    /// program there may accept it later.
    ///
    /// # Errors
    /// [`RequestError`], as for a request. [`Rejected`](RequestError::Rejected) with
    /// [`UnknownService`](crate::Rejection::UnknownService), or with
    /// [`Busy`](crate::Rejection::Busy) if the backlog is full.
    /// [`TooManyStreams`](RequestError::TooManyStreams) if `app_streams_max` streams to this peer
    /// are open.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream. The program on the peer may see it begin and end.
    pub async fn open_stream(
        &self,
        peer: &Peer,
        service: &str,
        deadline: Duration,
    ) -> Result<AppStream, RequestError> {
        let span = debug_span!("open_stream", %peer, service);
        let opening = self.open_service(peer, service, deadline).instrument(span);
        let outcome = self.counted(|| peer.into(), opening).await;
        add(&self.0.hub.counters.streams_opened, u64::from(outcome.is_ok()));
        outcome
    }

    /// Sends one request or message. Sends a request a second time if it crossed the peer's close
    /// of an idle connection.
    async fn exchange(
        &self,
        peer: &Peer,
        kind: Exchange,
        body: &Bytes,
        (deadline, manner): (Duration, RequestOptions),
    ) -> Result<Option<Bytes>, RequestError> {
        let until = after(deadline);
        let mut outcome = self.exchange_once(peer, kind, body, (deadline, manner), until).await;
        // Only a request: while the peer serves one, it does not close the connection as unused. It
        // may have processed a message whose acknowledgement did not arrive.
        if kind == Exchange::Request
            && matches!(outcome, Err(RequestError::Closed { cause: Ending::Unused { .. }, .. }))
        {
            add(&self.0.hub.counters.requests_repeated, 1);
            outcome = self.exchange_once(peer, kind, body, (deadline, manner), until).await;
        }
        if let Ok(reply) = &outcome {
            let counters = &self.0.hub.counters;
            counters.frame_sent(body.len());
            if let Some(reply) = reply {
                counters.frame_received(reply.len());
            }
        }
        outcome
    }

    async fn exchange_once(
        &self,
        peer: &Peer,
        kind: Exchange,
        body: &Bytes,
        (deadline, manner): (Duration, RequestOptions),
        until: Instant,
    ) -> Result<Option<Bytes>, RequestError> {
        let target = || Target::from(peer);
        let max = self.0.hub.config.frame_bytes_max;
        frame::check(body.len(), max).map_err(|cause| RequestError::TooLarge { peer: target(), cause })?;
        let request = Request { body, traffic: manner.traffic, prompt: manner.prompt, frame_bytes_max: max };
        // One timer for all three steps, because a timer costs as much as everything else here.
        // `phase` and `lease_used` tell which step the deadline interrupted.
        let (mut phase, mut lease_used, mut asked) = (Phase::Connecting, None, Instant::now());
        let steps = async {
            let lease = self.0.pool.acquire_by(peer, manner.need).await;
            let lease = &*lease_used.insert(lease.map_err(|error| RequestError::of_pool(target(), error))?);
            phase = Phase::Queued;
            let turn = lease.turn().await.map_err(|fault| fault.with_peer(target()))?;
            (phase, asked) = (Phase::Answer, Instant::now());
            let exchanged = match kind {
                Exchange::Request => lease.exchange(&request, &turn).await.map(Some),
                Exchange::OneWay => lease.send(&request, &turn).await.map(|()| None),
            };
            exchanged.map_err(|fault| fault.with_peer(target()))
        };
        let in_time = timeout_at(until, steps).await;
        in_time.unwrap_or_else(|_| {
            if let (Phase::Answer, Some(lease)) = (phase, lease_used) {
                // The peer did not answer this request. Its connection stays while the peer
                // acknowledges packets. What to do: nothing; if it repeats, look at the peer's load
                // and at the network.
                debug!(?deadline, "the peer did not answer within the deadline");
                if lease.timed_out(&peer.id, asked) {
                    phase = Phase::Acknowledged;
                }
            }
            if phase == Phase::Connecting {
                phase = self.connecting(peer, Lane::Requests);
            }
            Err(RequestError::Timeout { peer: target(), deadline, phase })
        })
    }

    async fn open_service(
        &self,
        peer: &Peer,
        service: &str,
        deadline: Duration,
    ) -> Result<AppStream, RequestError> {
        let target = || Target::from(peer);
        let until = after(deadline);
        let late = |phase| RequestError::Timeout { peer: target(), deadline, phase };
        let bad_service = || RequestError::BadService { peer: target(), service: service.to_owned() };
        let hello = hello::encode(service).ok_or_else(bad_service)?;
        let lease = timeout_at(until, self.0.pool.acquire_on(peer, Lane::StreamsOut)).await;
        let lease = lease.map_err(|_| late(self.connecting(peer, Lane::StreamsOut)))?;
        let lease = lease.map_err(|error| RequestError::of_pool(target(), error))?;
        let asked = Instant::now();
        let Ok(opened) = timeout_at(until, streams::open(&lease, hello)).await else {
            // If the pool gives this connection up, its streams go on, and new ones get another
            // connection. A connection of streams drains without a time limit.
            lease.timed_out(&peer.id, asked);
            return Err(late(Phase::Answer));
        };
        let opening = opened.map_err(|fault| fault.with_peer(target()))?;
        Ok(opening.into_stream(lease))
    }

    async fn dial_address(&self, addr: SocketAddr, deadline: Duration) -> Result<NodeId, RequestError> {
        let target = || Target { id: None, addr: addr.into() };
        let pool = &self.0.pool;
        let mut phase = Phase::Queued;
        let dial = async {
            let reservation = pool.reserve().await.map_err(|error| RequestError::of_pool(target(), error))?;
            phase = Phase::Connecting;
            let (id, lane) = (reservation.id(), Lane::Requests);
            let dialled = pool.connector().dial(addr, None, lane, id).await;
            let conn = dialled.map_err(|cause| RequestError::of_dial(target(), cause))?;
            let name = conn.peer().clone();
            if pool.adopt(id, Route::new(&name, lane), conn.clone(), Side::Local) == Taken::NoRoom {
                conn.close(CloseReason::Evicted);
            }
            Ok(name)
        };
        // This dial runs outside the pool, which would end it when the transport stops. So it must
        // watch the stage itself.
        tokio::select! {
            biased;
            outcome = timeout_at(after(deadline), dial) => {
                outcome.map_err(|_| RequestError::Timeout { peer: target(), deadline, phase })?
            }
            () = self.0.hub.stopped() => Err(RequestError::ShuttingDown { peer: target() }),
        }
    }

    /// The phase of a caller without a connection to `peer`: a queued dial is this node's own limit
    /// and says nothing about the peer.
    fn connecting(&self, peer: &Peer, lane: Lane) -> Phase {
        let queued = self.0.pool.dial_is_queued(Route::new(&peer.id, lane));
        if queued { Phase::Queued } else { Phase::Connecting }
    }

    /// Counts a request, and runs it unless the transport is closing.
    ///
    /// A stop of the transport ends the connections and the pool, and so every running request.
    async fn counted<T>(
        &self,
        peer: impl FnOnce() -> Target,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let hub = &self.0.hub;
        add(&hub.counters.requests, 1);
        let outcome = if hub.stage() == Stage::Open {
            request.await
        } else {
            Err(RequestError::ShuttingDown { peer: peer() })
        };
        if let Err(error) = &outcome {
            add(&hub.counters.requests_failed, 1);
            add(&hub.counters.requests_timed_out, u64::from(matches!(error, RequestError::Timeout { .. })));
        }
        outcome
    }
}

/// The time at which `limit` has passed.
pub(super) fn after(limit: Duration) -> Instant {
    Instant::now() + limit.min(DEADLINE_MAX)
}
