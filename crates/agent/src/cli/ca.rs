//! The arguments of `kinfolk ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kinfolk::{ClusterId, NodeId};

use crate::exit::STATUS_TABLE;

/// Makes what lets nodes into a cluster. Whoever holds ca-key.pem can let nodes in: keep it away from them.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct CaArgs {
    #[command(subcommand)]
    pub(crate) command: CaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make the authority of a new cluster: ca.pem and ca-key.pem, valid for ten years
    Init(InitArgs),
    /// Issue a node's certificate and key: NODE.pem and NODE-key.pem
    Issue(IssueArgs),
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct InitArgs {
    /// The folder to write to; made if it is not there
    pub(crate) dir: PathBuf,
    /// The cluster's name: 1 to 63 characters out of a-z, 0-9 and '-'
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: ClusterId,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct IssueArgs {
    /// The folder that `kinfolk ca init` wrote to
    pub(crate) dir: PathBuf,
    /// The node's name: 1 to 63 characters out of a-z, 0-9 and '-'
    pub(crate) node: NodeId,
    /// For how many days the certificate is valid, 1 to 3650
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3_650))]
    pub(crate) days: u16,
    /// The folder to write to; made if it is not there [default: DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
