//! The arguments of `kinfolk members`.

use clap::Args;

use super::ConnectArgs;
use crate::exit::STATUS_TABLE;

/// Shows the members as the agent on this machine sees them.
///
/// It asks the agent through its control socket. Live members have a line each; failed and left
/// members are counted.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct MembersArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Also show the members that failed or left, each on a line of its own
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object with all members instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
