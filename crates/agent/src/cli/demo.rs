//! The arguments of `kinfolk demo`.

use clap::Args;

use crate::exit::STATUS_TABLE;

/// Shows a cluster at work in this one process: members join, one crashes, one leaves, one returns.
///
/// The members use real QUIC connections on the loopback interface, with certificates made in
/// memory. They join; one broadcasts a message; all are idle for a while; one crashes; one leaves;
/// the crashed one starts again. Each step ends when all members know the result.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct DemoArgs {
    /// The number of members to start, 3 to 64
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(3..=64))]
    pub(crate) nodes: u8,
    /// The idle time in seconds, 1 to 86400: measures idle traffic and looks for false failures
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) watch: u32,
    /// Print one JSON object a line for each event; the last one has "kind": "summary"
    #[arg(long)]
    pub(crate) json: bool,
}
