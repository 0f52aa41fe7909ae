//! The ids of spans. Both members must give the same trace id to their halves of an exchange, and
//! the target must name the span of the prober as its parent. So all ids come from the trace id
//! that both have derived, and none from chance.

use std::cell::Cell;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::IdGenerator;

thread_local! {
    /// The ids of the span that this thread starts now.
    static NEXT: Cell<(TraceId, SpanId)> = const { Cell::new((TraceId::INVALID, SpanId::INVALID)) };
}

/// The ids of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExchangeIds {
    trace: TraceId,
}

impl ExchangeIds {
    /// Reads the ids from the field `trace` of a span of the transport.
    pub(super) fn parse(trace: &str) -> Option<Self> {
        let trace = TraceId::from_hex(trace).ok()?;
        (trace != TraceId::INVALID).then_some(Self { trace })
    }

    /// The span of the member that sends the request.
    pub(super) fn client(self) -> SpanId {
        self.half(0)
    }

    /// The span of the member that answers.
    pub(super) fn server(self) -> SpanId {
        self.half(8)
    }

    /// The client's span as the parent of the server's.
    pub(super) fn parent(self) -> SpanContext {
        SpanContext::new(self.trace, self.client(), TraceFlags::SAMPLED, true, TraceState::default())
    }

    /// Calls `start`, which starts one span of this exchange with the id `span`.
    pub(super) fn give<T>(self, span: SpanId, start: impl FnOnce() -> T) -> T {
        NEXT.set((self.trace, span));
        let started = start();
        NEXT.set((TraceId::INVALID, SpanId::INVALID));
        started
    }

    /// Eight bytes of the trace id. They are as good as random, because the trace id is a hash.
    fn half(self, from: usize) -> SpanId {
        let mut half = [0; 8];
        half.copy_from_slice(&self.trace.to_bytes()[from..from + 8]);
        SpanId::from_bytes(half)
    }
}

/// Gives each span the ids that [`ExchangeIds::give`] has set.
#[derive(Debug)]
pub(super) struct DerivedIds;

impl IdGenerator for DerivedIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().0
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().1
    }
}
