//! Three members in one process, and the metrics of one of them after it has probed the others.
//!
//! `cargo run -p kinfolk --features metrics --example metrics` prints the text format of
//! Prometheus. With `-- openmetrics` it prints `OpenMetrics`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kinfolk::metrics::{Format, Metrics, MetricsOptions};
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeId};

#[tokio::main]
async fn main() -> Result<()> {
    let format = match std::env::args().nth(1).as_deref() {
        None => Format::Prometheus,
        Some("openmetrics") => Format::OpenMetrics,
        Some(other) => bail!("unknown format {other:?}; give `openmetrics`, or nothing"),
    };
    print!("{}", run(format).await?);
    Ok(())
}

/// Starts the members, and returns the metrics of the first one.
///
/// # Errors
/// If a member does not start, join, or answer.
pub(crate) async fn run(format: Format) -> Result<String> {
    let ca = ClusterCa::create(&ClusterId::new("example")?)?;
    let start = |name: &str| -> Result<Cluster> {
        let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(24))?;
        Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
    };
    let web = start("web")?;
    let mut events = web.subscribe();
    let others = [start("db-1")?, start("db-2")?];
    for member in &others {
        member.join(&[web.addr().to_string()]).await?;
    }
    let mut joined = 0;
    while joined < others.len() {
        let event = events.next().await.context("the member has stopped")?;
        joined += usize::from(matches!(event, ClusterEvent::NodeJoined { .. }));
    }
    while web.stats().gossip.swim.round_trips.count() == 0 {
        // Sleeps because no event says that a probe was answered. New members are probed at once.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The series of each member are a choice. A large group has many of them.
    let options = MetricsOptions::default().per_member(100);
    Ok(Metrics::with(&web, options).render(format))
}
