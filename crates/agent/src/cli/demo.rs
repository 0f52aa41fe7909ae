//! The arguments of `kinfolk demo`.

use clap::Args;

use crate::exit::STATUS_TABLE;

/// Starts members in this one process, over real QUIC connections on the loopback interface, with certificates made in
/// memory. They find each other; one broadcasts; all rest for a while; one crashes; one leaves; the crashed one returns.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct DemoArgs {
    /// How many members to start, 3 to 64
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(3..=64))]
    pub(crate) nodes: u8,
    /// How long to let all rest, to measure idle traffic and to look for false failures, in seconds: 1 to 86400
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) watch: u32,
    /// Print one JSON object a line for each event, and a last one with "kind": "summary"
    #[arg(long)]
    pub(crate) json: bool,
}
