//! The arguments of `kinfolk ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kinfolk::{ClusterId, NodeId, Serial};

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
    /// Revoke a node's certificates: write a statement of the CA, for any running member
    Revoke(RevokeArgs),
    /// Show what the certificates in a file say: name, serial number, authority, validity,
    /// fingerprint
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
pub(crate) struct RevokeArgs {
    /// The folder with ca.pem and ca-key.pem
    pub(crate) dir: PathBuf,
    /// The node's name
    pub(crate) node: NodeId,
    /// Revoke only the certificate with this serial number, as `kinfolk ca show` prints it
    /// [default: all certificates that were issued to the node before now]
    #[arg(long, value_name = "HEX", value_parser = serial)]
    pub(crate) serial: Option<Serial>,
    /// The cluster's name, if the CA was not made by `kinfolk ca init`
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<ClusterId>,
    /// The file to write [default: DIR/NODE.revoked.pem]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Reads a serial number in hexadecimal digits.
fn serial(text: &str) -> Result<Serial, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> =
        digits.chunks(2).map(|pair| byte(pair).filter(|_| pair.len() == 2)).collect();
    bytes
        .and_then(|bytes| Serial::new(&bytes))
        .ok_or_else(|| "give 2 to 64 hexadecimal digits, as `kinfolk ca show` prints them".to_owned())
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
