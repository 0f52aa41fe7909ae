//! The arguments of `kinfolk agent`: the path of the configuration file, and each of its settings.

use std::path::PathBuf;

use clap::Args;

use crate::config::Settings;
use crate::exit::STATUS_TABLE;

const PRECEDENCE: &str = "\
Each setting is taken from the first source that has it: the flag, the environment, the file, the default. Tags are merged
key by key in this order. In the file a setting has the name of its flag with '_' for '-'; `join` is a list, and tags are a
table [tags]. Only the file has the services that the member offers: tables such as [services.db]. Paths in the file are
relative to the file's folder.

Logs go to standard output. SIGTERM and Ctrl-C make the agent leave and stop; a second one stops it at once, and the other
members declare it failed. SIGHUP does what `kinfolk reload` does: the agent reads this file and all others again, applies
what changed, and logs what needs a restart. SIGUSR1 logs the state.";

/// Runs a member beside your programs, until a signal or `kinfolk leave` stops it.
#[derive(Debug, Args)]
#[command(after_help = format!("{PRECEDENCE}\n\n{STATUS_TABLE}"))]
pub(crate) struct AgentArgs {
    /// The configuration file, in TOML
    #[arg(long, value_name = "FILE", env = "KINFOLK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}
