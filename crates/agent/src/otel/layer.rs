//! Makes a span of OpenTelemetry from each span of an exchange, when it ends.
//!
//! The crate `tracing-opentelemetry` does this for all spans. It chooses the trace id when a span
//! begins, and the id of an exchange is known only once the request has its stream.

use std::fmt;
use std::time::SystemTime;

use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, TraceContextExt as _};
use opentelemetry::{Context as Parent, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::ids::ExchangeIds;

/// Exports the spans `request` and `serve` of the transport.
pub(super) struct ExchangeLayer {
    tracer: SdkTracer,
}

/// One half of an exchange, while it lasts.
struct Half {
    begun: SystemTime,
    kind: SpanKind,
    peer: String,
    traffic: String,
    ids: Option<ExchangeIds>,
}

impl ExchangeLayer {
    pub(super) fn new(tracer: SdkTracer) -> Self {
        Self { tracer }
    }

    /// Whether the layer exports spans with this metadata.
    pub(super) fn exports(metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && metadata.target().starts_with("kinfolk_transport")
            && kind(metadata.name()).is_some()
    }
}

fn kind(name: &str) -> Option<SpanKind> {
    match name {
        "request" => Some(SpanKind::Client),
        "serve" => Some(SpanKind::Server),
        _ => None,
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ExchangeLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(kind) = kind(attributes.metadata().name()) else { return };
        let (peer, traffic) = (String::new(), String::new());
        let mut half = Half { begun: SystemTime::now(), kind, peer, traffic, ids: None };
        attributes.record(&mut half);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(half);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(half) = span.extensions_mut().get_mut::<Half>()
        {
            values.record(half);
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        // A request that never had a connection has no ids, and no other half.
        if let Some(half) = cx.span(&id).and_then(|span| span.extensions_mut().remove::<Half>())
            && let Some(ids) = half.ids
        {
            half.export(&self.tracer, ids);
        }
    }
}

impl Half {
    fn export(self, tracer: &SdkTracer, ids: ExchangeIds) {
        // The names of a span are few: who asks for what is in the attributes.
        let name = self.traffic.to_lowercase();
        let attributes =
            [KeyValue::new("kinfolk.peer", self.peer), KeyValue::new("kinfolk.traffic", name.clone())];
        let is_server = self.kind == SpanKind::Server;
        let builder = SpanBuilder::from_name(name)
            .with_kind(self.kind)
            .with_start_time(self.begun)
            .with_attributes(attributes);
        let (span, parent) = if is_server {
            (ids.server(), Parent::new().with_remote_span_context(ids.parent()))
        } else {
            (ids.client(), Parent::new())
        };
        let mut span = ids.give(span, || builder.start_with_context(tracer, &parent));
        span.end_with_timestamp(SystemTime::now());
    }
}

impl Visit for Half {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "peer" => self.peer = format!("{value:?}"),
            "traffic" => self.traffic = format!("{value:?}"),
            "trace" => self.ids = ExchangeIds::parse(&format!("{value:?}")),
            _ => {}
        }
    }
}
