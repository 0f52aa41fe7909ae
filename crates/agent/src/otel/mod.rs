//! Exports the spans of exchanges between members to a collector of OpenTelemetry (feature `otel`).
//!
//! The variables of OpenTelemetry configure it. Without an endpoint nothing is exported.
//!
//! ```text
//!   request at the prober ──┐                        ┌── one trace: a client's span,
//!                           ├─ the same field `trace`┤
//!   serve at the target  ───┘                        └── and a server's span below it
//! ```
//!
//! `layer.rs` makes a span of OpenTelemetry from each span of the transport, `ids.rs` gives it its
//! ids, `collector.rs` reads the variables, and `client.rs` sends the spans.

mod client;
mod collector;
#[cfg(test)]
mod export_tests;
mod ids;
mod layer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter as Export};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;

use crate::exit::{Failure, Status};
use crate::logs;
use client::OnRuntime;
use collector::Collector;
use ids::DerivedIds;
use layer::ExchangeLayer;

/// How long the agent waits at its end until the last spans are sent.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// The running export.
pub(crate) struct Tracing {
    provider: SdkTracerProvider,
}

impl Tracing {
    /// Starts the export if a variable names a collector. `node` is the name of this member.
    pub(crate) fn start(runtime: &Handle, node: &str) -> Result<Option<Self>, Failure> {
        // A variable of OpenTelemetry for the collector cannot be used. What to do: the message
        // names it, and says what to give.
        let collector = Collector::of(|name| std::env::var(name).ok())
            .map_err(|why| Failure::new(Status::Config, format_args!("cannot export spans: {why}")))?;
        let Some(collector) = collector else { return Ok(None) };
        Ok(Some(Self::exporting_to(exporter(collector, runtime)?, node)))
    }

    fn exporting_to(exporter: impl Export + 'static, node: &str) -> Self {
        // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, if they are set, replace these.
        let resource = Resource::builder_empty()
            .with_service_name("kinfolk")
            .with_attribute(KeyValue::new("service.instance.id", node.to_owned()))
            .with_detector(Box::new(opentelemetry_sdk::resource::EnvResourceDetector::new()))
            .with_detector(Box::new(opentelemetry_sdk::resource::TelemetryResourceDetector))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_id_generator(DerivedIds)
            .with_resource(resource)
            .build();
        Self { provider }
    }

    /// The layer that exports the spans of exchanges, and sees no others.
    pub(crate) fn filtered_layer(&self) -> logs::Export {
        let only = filter_fn(ExchangeLayer::exports).with_max_level_hint(LevelFilter::DEBUG);
        ExchangeLayer::new(self.provider.tracer("kinfolk")).with_filter(only).boxed()
    }

    /// Sends the last spans, for at most two seconds.
    pub(crate) async fn stop(self) {
        // The export waits for its thread, which waits for the runtime. So another thread must
        // wait for the export.
        let stopped =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH_LIMIT)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            // The collector did not take the last spans. What to do: check that it runs.
            tracing::warn!("the last spans were not exported; check the collector of OpenTelemetry");
        }
    }
}

/// The exporter of OpenTelemetry to this collector.
fn exporter(collector: Collector, runtime: &Handle) -> Result<SpanExporter, Failure> {
    let url = collector.url.to_string();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&url)
        .with_http_client(OnRuntime::new(collector, runtime.clone()))
        .build();
    // Another variable of OpenTelemetry cannot be used. What to do: the error names it.
    exporter
        .map_err(|error| Failure::new(Status::Config, format_args!("cannot export spans to {url}: {error}")))
}
