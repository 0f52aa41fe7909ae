//! The arguments of `kinfolk members`.

use clap::{Args, ValueEnum};
use kinfolk::ServiceName;

use super::{ConnectArgs, Output};
use crate::exit::STATUS_TABLE;

/// Shows the members as an agent sees them.
///
/// It asks the agent through its control socket, or at --url. Live members have a line each; failed
/// and left members are counted.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct MembersArgs {
    /// Also show the members that failed or left, each on a line of its own
    #[arg(long)]
    pub(crate) all: bool,
    /// Only members in this state; repeat it for several
    #[arg(long, value_name = "STATE", value_parser = ["alive", "suspect", "failed", "left"])]
    pub(crate) state: Vec<String>,
    /// Only members with this health; repeat it for several
    #[arg(long, value_name = "HEALTH", value_parser = ["passing", "warning", "critical", "maintenance"])]
    pub(crate) health: Vec<String>,
    /// Only members with this tag, as KEY=VALUE, or KEY for any value; repeat it for several
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Only members that offer this service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<ServiceName>,
    /// Only members whose name contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// The order of the members
    #[arg(long, value_name = "COLUMN", default_value = "name")]
    pub(crate) sort: SortBy,
    /// Show the members again at each event, and at least every 2 s, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    /// The same as --output json
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// The order of the members. Equal ones are ordered by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// By name
    #[default]
    Name,
    /// By address
    Address,
    /// The worst state first
    State,
    /// The worst health first
    Health,
    /// The highest phi first
    Phi,
    /// The shortest round trip first
    Rtt,
}
