//! Reads a member at a scrape, and writes one section of metrics after the other.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::page::Page;
use super::{MetricsOptions, coordinates, detection, group, per_member, resources, traffic};
use crate::cluster::WeakCluster;

/// The metrics of one member. It holds no state: each scrape reads the counters that the member has
/// in any case.
#[derive(Debug)]
pub(super) struct ClusterCollector {
    cluster: WeakCluster,
    options: MetricsOptions,
}

impl ClusterCollector {
    pub(super) fn new(cluster: WeakCluster, options: MetricsOptions) -> Self {
        Self { cluster, options }
    }
}

impl Collector for ClusterCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Without the member there is nothing to report. Prometheus then marks its series as gone.
        let Some(cluster) = self.cluster.upgrade() else { return Ok(()) };
        let (page, stats) = (&mut Page::new(encoder), cluster.stats());
        group::write(page, &cluster, &stats)?;
        detection::write(page, &stats.gossip.swim)?;
        coordinates::write(page, &stats.coordinates)?;
        traffic::write(page, &stats)?;
        resources::write(page, &cluster, &stats)?;
        match self.options.per_member_max {
            0 => Ok(()),
            max => per_member::write(page, &cluster, &stats.pool, max),
        }
    }
}
