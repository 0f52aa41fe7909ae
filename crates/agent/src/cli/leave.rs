//! The arguments of `kinfolk leave`.

use clap::Args;

use super::ConnectArgs;
use crate::exit::STATUS_TABLE;

/// Makes the agent on this machine leave its cluster permanently, and stop.
///
/// An agent with a state directory does not rejoin by itself after this: at its next start it waits
/// for a seed (--join). To stop it for a while, send it SIGTERM instead.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct LeaveArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
