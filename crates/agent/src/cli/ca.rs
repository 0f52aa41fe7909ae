//! The arguments of `kinfolk ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kinfolk::{ClusterId, NodeId};

use crate::exit::STATUS_TABLE;

/// Makes a cluster's certificate authority (CA) and the certificates of its nodes.
///
/// Anyone who holds ca-key.pem can add nodes to the cluster: keep it away from the nodes.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct CaArgs {
    #[command(subcommand)]
    pub(crate) command: CaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make the CA of a new cluster: ca.pem and ca-key.pem, valid for ten years
    Init(InitArgs),
    /// Issue a node's certificate and key: NODE.pem and NODE-key.pem
    Issue(IssueArgs),
    /// Replace a node's certificate and key by new ones; the former get the ending .old
    Renew(IssueArgs),
    /// Show what the certificates in a file say: name, serial number, authority, validity, fingerprint
    Show(ShowArgs),
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct InitArgs {
    /// The folder to write to; created if it does not exist
    pub(crate) dir: PathBuf,
    /// The cluster's name: 1 to 63 characters; allowed are a-z, 0-9 and '-'
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: ClusterId,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct ShowArgs {
    /// A file with one or more certificates in PEM
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct IssueArgs {
    /// The folder that `kinfolk ca init` wrote to
    pub(crate) dir: PathBuf,
    /// The node's name: 1 to 63 characters; allowed are a-z, 0-9 and '-'
    pub(crate) node: NodeId,
    /// The number of days for which the certificate is valid, 1 to 3650
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3_650))]
    pub(crate) days: u16,
    /// The folder to write to; created if it does not exist [default: DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
