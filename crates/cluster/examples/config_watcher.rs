//! Configuration by tags: one member publishes a version, and all others take each new version
//! once, also those that start later.
//!
//! `cargo run --release -p kinfolk --example config_watcher`

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kinfolk::{
    Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId, Service, ServiceEvent, ServiceInstance,
    ServiceWatch, Tags,
};
use tokio::time::timeout;

/// Longer than a change takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(30);

async fn start(ca: &ClusterCa, name: &str, seed: Option<&Cluster>) -> Result<Cluster> {
    let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(1))?;
    let cluster = Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?;
    if let Some(seed) = seed {
        cluster.join(&[seed.addr().to_string()]).await?;
    }
    Ok(cluster)
}

/// Publishes a version of the configuration as meta data of the service `config`.
async fn publish(publisher: &Cluster, version: u32) -> Result<()> {
    let meta = Tags::new([("version", version.to_string())])?;
    Ok(publisher.offer("config", Service::new(0).with_meta(meta)).await?)
}

/// Follows the configuration.
struct Follower {
    watch: ServiceWatch,
    version: u32,
}

impl Follower {
    fn of(cluster: &Cluster) -> Self {
        Self { watch: cluster.watch_service("config"), version: 0 }
    }

    /// Waits for the next version that is newer than the last one.
    async fn next(&mut self) -> Result<u32> {
        loop {
            let event = timeout(LIMIT, self.watch.next()).await?.context("the member has stopped")?;
            let newest = match event {
                ServiceEvent::Present(present) => present.iter().filter_map(version_of).max(),
                ServiceEvent::Added(instance) | ServiceEvent::Changed(instance) => version_of(&instance),
                // The last version stays in force while nobody publishes.
                _ => None,
            };
            if let Some(version) = newest.filter(|version| *version > self.version) {
                self.version = version;
                return Ok(version);
            }
        }
    }
}

fn version_of(instance: &ServiceInstance) -> Option<u32> {
    instance.service.meta.get("version")?.parse().ok()
}

/// Publishes three versions, and follows them from before the first and from after the second.
///
/// # Errors
/// When a member does not start, or misses a version.
pub(crate) async fn run() -> Result<()> {
    let ca = ClusterCa::create(&ClusterId::new("example")?)?;
    let publisher = start(&ca, "publisher", None).await?;
    let early = start(&ca, "early", Some(&publisher)).await?;
    let mut early_follower = Follower::of(&early);
    for version in 1..=2 {
        publish(&publisher, version).await?;
        let seen = early_follower.next().await?;
        println!("early has version {seen}");
        ensure!(seen == version, "early has version {seen} instead of {version}");
    }
    let late = start(&ca, "late", Some(&early)).await?;
    let mut late_follower = Follower::of(&late);
    ensure!(late_follower.next().await? == 2, "late does not begin with the present version");
    publish(&publisher, 3).await?;
    ensure!(early_follower.next().await? == 3 && late_follower.next().await? == 3, "version 3 is missing");
    println!("early and late have version 3");
    for member in [publisher, early, late] {
        member.shutdown().await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    run().await
}
