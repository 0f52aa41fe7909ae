//! The arguments of `kinfolk revoke`.

use std::path::PathBuf;

use clap::Args;

use super::ConnectArgs;
use crate::exit::STATUS_TABLE;

/// Shuts a member out: its certificates count no more, at any member.
///
/// `kinfolk ca revoke` writes the file. Any one agent of the cluster takes it, and gossip brings it
/// to all members. Each closes its connections to the member, removes it from its view, and refuses
/// its certificate from then on. Nobody can undo it. With a new certificate it may join again.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct RevokeFileArgs {
    /// The file that `kinfolk ca revoke` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
