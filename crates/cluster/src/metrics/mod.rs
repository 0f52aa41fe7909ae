//! Metrics of a member for Prometheus (feature `metrics`).
//!
//! A program that has a registry of its own adds the member to it with [`register`]. A program
//! without one makes a [`Metrics`], and serves what it [renders](Metrics::render). Both read the
//! member only when they are asked: between two scrapes they cost nothing.
//!
//! All names begin with `kinfolk_`. The number of series does not depend on the size of the group,
//! unless the program asks for [series of each member](MetricsOptions::per_member).
//! `docs/operations.md` says what each metric means, and what to do about it.
//!
//! # Examples
//! ```
//! # use std::time::Duration;
//! # use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId};
//! use kinfolk::metrics::{self, Format, Metrics, prometheus_client::registry::Registry};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let identity = ClusterCa::create(&ClusterId::new("shop")?)?
//! #     .issue(&NodeId::new("a")?, Duration::from_secs(3600))?;
//! # let cluster = Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?;
//! // In the registry of the program, beside its own metrics:
//! let mut registry = Registry::default();
//! metrics::register(&cluster, &mut registry);
//!
//! // Or by itself. The `Accept` header of a scrape says which format it wants.
//! let metrics = Metrics::new(&cluster);
//! let format = Format::accepted("application/openmetrics-text;version=1.0.0,*/*;q=0.1");
//! let (body, content_type) = (metrics.render(format), format.content_type());
//! assert!(content_type.starts_with("application/openmetrics-text"));
//! assert!(body.contains("kinfolk_members{state=\"alive\"} 1\n"));
//! # Ok(())
//! # }
//! ```

mod collector;
mod coordinates;
mod detection;
mod format;
mod group;
mod page;
mod per_member;
mod resources;
mod traffic;

pub use format::Format;
/// The library of the [`Registry`], in the version that
/// [`register`] takes.
pub use prometheus_client;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::cluster::Cluster;
use collector::ClusterCollector;

/// What the prefix of all names is.
const PREFIX: &str = "kinfolk";

/// What [`register_with`] exposes beyond the metrics that every member has. By default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MetricsOptions {
    /// The most members that have series of their own. 0, the default, for none.
    pub per_member_max: usize,
}

impl MetricsOptions {
    /// Exposes series of each known node: its state, and, where this member has them, its phi, its
    /// silence, and the round trip to it. That is up to four series a node. At most `max` nodes
    /// have them, the first ones by name, so that a large group does not overload Prometheus.
    #[must_use]
    pub const fn per_member(mut self, max: usize) -> Self {
        self.per_member_max = max;
        self
    }
}

/// Adds the metrics of `cluster` to `registry`, with names that begin with `kinfolk_`.
///
/// The registry holds no handle that keeps the member alive. After the last handle is dropped the
/// metrics are absent. Several members in one registry need a
/// [label](Registry::sub_registry_with_label) each.
pub fn register(cluster: &Cluster, registry: &mut Registry) {
    register_with(cluster, registry, MetricsOptions::default());
}

/// As [`register`], with options.
pub fn register_with(cluster: &Cluster, registry: &mut Registry, options: MetricsOptions) {
    let collector = ClusterCollector::new(cluster.weak(), options);
    registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(collector));
}

/// The metrics of one member by themselves, for a program without a registry.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// The metrics of `cluster`. They do not keep it alive.
    pub fn new(cluster: &Cluster) -> Self {
        Self::with(cluster, MetricsOptions::default())
    }

    /// As [`new`](Self::new), with options.
    pub fn with(cluster: &Cluster, options: MetricsOptions) -> Self {
        let mut registry = Registry::default();
        register_with(cluster, &mut registry, options);
        Self { registry }
    }

    /// Reads the member now. Returns the body of an answer to a scrape, whose content type is
    /// [`Format::content_type`]. It does not wait: it only reads counters, and takes a few locks
    /// for as long as a copy takes.
    ///
    /// # Panics
    /// Never: a `String` takes all that is written to it.
    pub fn render(&self, format: Format) -> String {
        let mut page = String::new();
        let written = match format {
            Format::OpenMetrics => text::encode(&mut page, &self.registry),
            Format::Prometheus => prometheus_text::encode(&mut page, &self.registry),
        };
        written.expect("writing to a String cannot fail, and no collector of ours returns an error");
        page
    }
}
