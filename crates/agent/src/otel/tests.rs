//! Two members in this process, and what their spans become.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId};
use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

use super::Tracing;

/// Keeps all spans.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

fn probes_by_trace(spans: Vec<SpanData>) -> BTreeMap<[u8; 16], Vec<SpanData>> {
    let mut traces: BTreeMap<_, Vec<SpanData>> = BTreeMap::new();
    for span in spans.into_iter().filter(|span| span.name == "probe") {
        traces.entry(span.span_context.trace_id().to_bytes()).or_default().push(span);
    }
    traces
}

/// All tasks run on this thread, so the subscriber sees both members.
#[tokio::test]
async fn probe_is_one_trace_of_two_members() {
    let exporter = Kept::default();
    let tracing = Tracing::exporting_to(exporter.clone(), "a");
    let _here = tracing::subscriber::set_default(registry().with(tracing.filtered_layer()));

    let ca = ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap();
    let start = |name: &str| {
        let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(1)).unwrap();
        Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse().unwrap())).unwrap()
    };
    let (a, b) = (start("a"), start("b"));
    b.join(&[a.addr().to_string()]).await.unwrap();
    let pair = async {
        loop {
            tracing.provider.force_flush().unwrap();
            let traces = probes_by_trace(exporter.0.lock().unwrap().clone());
            if let Some(pair) = traces.into_values().find(|spans| spans.len() == 2) {
                return pair;
            }
            // Sleeps because there is no event for the end of a span. The deadline bounds the wait.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut pair = tokio::time::timeout(Duration::from_mins(1), pair).await.unwrap();
    pair.sort_by_key(|span| span.span_kind == SpanKind::Server);
    let (client, server) = (&pair[0], &pair[1]);
    assert_eq!((&client.span_kind, &server.span_kind), (&SpanKind::Client, &SpanKind::Server));
    assert_eq!(server.parent_span_id, client.span_context.span_id());
    assert_eq!(client.parent_span_id, SpanId::INVALID);
    assert_ne!(client.span_context.span_id(), server.span_context.span_id());
    assert_ne!(client.span_context.trace_id(), TraceId::INVALID);
    assert!(server.parent_span_is_remote);
    let peer = |span: &SpanData| {
        let peer = span.attributes.iter().find(|attribute| attribute.key.as_str() == "kinfolk.peer");
        peer.map(|peer| peer.value.to_string()).unwrap_or_default()
    };
    // The prober names the target with its address, and the target names the prober.
    let names = (peer(client).chars().next().unwrap(), peer(server));
    assert!(
        matches!(names, ('b', ref prober) if prober == "a")
            || matches!(names, ('a', ref prober) if prober == "b")
    );
    assert!(server.start_time >= client.start_time, "one clock: the target begins later");
}
