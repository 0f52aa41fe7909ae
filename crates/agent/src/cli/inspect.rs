//! The arguments of the commands that show what an agent knows: `info`, `explain`, `rtt`,
//! `services`, `select`, `stats`, `monitor`.

use clap::{Args, ValueEnum};
use kinfolk::{NodeId, ServiceName};

use super::{ConnectArgs, Output};
use crate::exit::STATUS_TABLE;

// Two commands share it, so their docs are at the variants of `Command`.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct NodeArgs {
    /// The name of the member
    #[arg(value_name = "NODE")]
    pub(crate) node: NodeId,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Shows the round trip between two members, or between the agent and one.
///
/// It is measured if the agent has a connection to the other member. Otherwise it is estimated by
/// the coordinates that both members state; the line says which.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct RttArgs {
    /// The name of a member
    #[arg(value_name = "NODE")]
    pub(crate) node: NodeId,
    /// The name of another member [default: the agent's own]
    #[arg(value_name = "NODE2")]
    pub(crate) other: Option<NodeId>,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Shows the services of all members, or the instances of one.
///
/// Without a name it counts the instances of each service by their health.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct ServicesArgs {
    /// The name of a service, to show its instances
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<ServiceName>,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Chooses an instance of a service, and prints its address.
///
/// Instances in maintenance, and those that are not well, are left out while enough others are
/// there.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct SelectArgs {
    /// The name of the service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: ServiceName,
    /// How the instance is chosen [default: weighted, or key with --key]
    #[arg(long, value_name = "STRATEGY")]
    pub(crate) strategy: Option<StrategyArg>,
    /// Choose the instance that holds this key; all members choose the same one
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,
    /// Only instances of members with this tag; repeat it for several
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) tag: Vec<String>,
    /// Only instances with this meta data; repeat it for several
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) meta: Vec<String>,
    /// The form of the output; `wide` adds why it was chosen
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// How an instance is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// By chance, by the weights of the instances
    Weighted,
    /// By chance, each with the same probability
    Random,
    /// One after the other
    RoundRobin,
    /// By chance among those with the shortest round trip, measured or estimated
    Nearest,
    /// The one that holds a key
    Key,
}

impl StrategyArg {
    /// The name in the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Random => "random",
            Self::RoundRobin => "round_robin",
            Self::Nearest => "nearest",
            Self::Key => "key",
        }
    }
}

/// Shows the counters of an agent since its start.
///
/// Probes, suspicions, messages, bytes, connections, and the API itself.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct StatsArgs {
    /// Also show the counters that are 0
    #[arg(long)]
    pub(crate) all: bool,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Prints the events of the group as they come, until Ctrl-C.
///
/// If the connection ends, it connects again, and says how many events it has missed.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct MonitorArgs {
    /// Only events of this kind, such as `node_failed`; repeat it for several
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Vec<String>,
    /// The form of the output: a line of text, or one JSON object a line
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
