//! The arguments of `kinfolk leave`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::STATUS_TABLE;

/// Has the agent on this machine leave its cluster and stop. With its state directory it does not
/// rejoin by itself when it starts again: it waits for a seed (--join). To stop it for a while,
/// send it SIGTERM instead.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct LeaveArgs {
    /// The agent's control socket [default: `$XDG_RUNTIME_DIR/kinfolk.sock`, or /run/kinfolk.sock]
    #[arg(long, value_name = "PATH", env = "KINFOLK_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
}
