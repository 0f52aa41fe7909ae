//! The arguments of `kinfolk forget`.

use clap::Args;
use kinfolk::NodeId;

use super::ConnectArgs;
use crate::exit::STATUS_TABLE;

/// Removes a failed or left member from the views of all members.
///
/// It removes the tombstone before its age limit (24 hours by default). The agent refuses to forget
/// a member that is alive or suspect. A forgotten member that starts again joins as usual.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct ForgetArgs {
    /// The name of the member, as `kinfolk members --all` shows it
    #[arg(value_name = "NAME")]
    pub(crate) node: NodeId,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
