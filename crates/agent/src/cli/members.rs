//! The arguments of `kinfolk members`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::STATUS_TABLE;

/// Shows the members as the agent on this machine sees them.
///
/// It asks the agent through its control socket. Live members have a line each; failed and left
/// members are counted.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct MembersArgs {
    /// The agent's control socket [default: `$XDG_RUNTIME_DIR/kinfolk.sock`, or /run/kinfolk.sock]
    #[arg(long, value_name = "PATH", env = "KINFOLK_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// Also show the members that failed or left, each on a line of its own
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object with all members instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
