//! The arguments of `kinfolk members`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::STATUS_TABLE;

/// Asks the agent on this machine, through its control socket, how it sees the group.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct MembersArgs {
    /// The agent's control socket [default: `$XDG_RUNTIME_DIR/kinfolk.sock`, or /run/kinfolk.sock]
    #[arg(long, value_name = "PATH", env = "KINFOLK_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// Show also the members that failed or left, each on a line
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object instead of a table; it has all members
    #[arg(long)]
    pub(crate) json: bool,
}
