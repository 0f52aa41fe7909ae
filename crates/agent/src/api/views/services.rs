//! Services, their instances, and the choice of one.

use clap::ValueEnum;
use kinfolk::{Health, Lease, NodeId, ServiceInstance, Tags};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use utoipa::ToSchema;

use super::members::HealthName;
use super::micros;

/// The services of all members, ordered by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServicesView {
    /// One entry for each service.
    pub(crate) services: Vec<ServiceCountView>,
}

/// How many instances a service has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceCountView {
    /// The name of the service.
    pub(crate) name: String,
    /// The number of members that offer it.
    pub(crate) instances: usize,
    /// Of these: passing.
    pub(crate) passing: usize,
    /// Of these: in the state warning.
    pub(crate) warning: usize,
    /// Of these: critical, or of a suspected member.
    pub(crate) critical: usize,
    /// Of these: in maintenance.
    pub(crate) maintenance: usize,
}

impl ServiceCountView {
    /// The service without instances.
    pub(crate) fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, instances: 0, passing: 0, warning: 0, critical: 0, maintenance: 0 }
    }

    /// Counts an instance of this health.
    pub(crate) fn count(&mut self, health: Health) {
        self.instances += 1;
        *match health {
            Health::Passing => &mut self.passing,
            Health::Warning => &mut self.warning,
            Health::Critical => &mut self.critical,
            Health::Maintenance => &mut self.maintenance,
        } += 1;
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceView {
    /// The name of the service.
    pub(crate) name: String,
    /// Its instances, ordered by the names of their members.
    pub(crate) instances: Vec<InstanceView>,
}

/// One member's offer of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct InstanceView {
    /// The member.
    #[schema(value_type = String)]
    pub(crate) node: NodeId,
    /// The address of the service. The port is 0 for a service that is reached through the streams
    /// of the cluster.
    #[schema(value_type = String, example = "10.0.0.1:5432")]
    pub(crate) addr: SocketAddr,
    /// Its share of the requests, relative to the other instances.
    pub(crate) weight: u16,
    /// What the member says about the instance, such as a version.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) meta: Tags,
    /// The worse of the health of the member and of the service. A suspected member counts as
    /// critical.
    #[schema(value_type = HealthName)]
    pub(crate) health: Health,
    /// Why the service has this health; may be empty.
    pub(crate) note: String,
    /// The tags of the member.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) tags: Tags,
    /// The round-trip time of the agent's connection to the member, in microseconds. Null without
    /// a connection.
    pub(crate) rtt_us: Option<u64>,
}

impl From<ServiceInstance> for InstanceView {
    fn from(instance: ServiceInstance) -> Self {
        let note = match instance.service.condition.note() {
            "" => instance.condition.note().to_owned(),
            note => note.to_owned(),
        };
        Self {
            node: instance.node,
            addr: instance.addr,
            weight: instance.service.weight.get(),
            meta: instance.service.meta,
            health: instance.health,
            note,
            tags: instance.tags,
            rtt_us: instance.rtt.map(micros),
        }
    }
}

/// What a program says about its service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// Its health.
    pub(crate) health: ReportedHealth,
    /// Why; may be empty. The members show its first 120 bytes.
    #[serde(default)]
    pub(crate) note: String,
}

/// The health that a program may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReportedHealth {
    /// It works
    Passing,
    /// It works, and an operator should look at it
    Warning,
    /// It does not work
    Critical,
}

/// A chosen instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChoiceView {
    /// The member.
    #[schema(value_type = String)]
    pub(crate) node: NodeId,
    /// The address of the service.
    #[schema(value_type = String, example = "10.0.0.1:5432")]
    pub(crate) addr: SocketAddr,
    /// Why it was chosen, in one sentence.
    pub(crate) why: String,
    /// Whether too few instances were well, so that this one may not be well either.
    pub(crate) panic: bool,
}

impl From<&Lease> for ChoiceView {
    fn from(lease: &Lease) -> Self {
        let (node, addr) = (lease.node().clone(), lease.addr());
        Self { node, addr, why: lease.explain(), panic: lease.is_panic() }
    }
}
