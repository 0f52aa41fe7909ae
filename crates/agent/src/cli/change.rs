//! The arguments of the commands that change something small: `tags`, `event`, `report`, `reload`.

use clap::{Args, Subcommand};

use kinfolk::ServiceName;

use super::{ConnectArgs, Output};
use crate::api::views::ReportedHealth;
use crate::exit::STATUS_TABLE;

/// Shows, sets, or removes tags of the agent's own member.
///
/// A change lasts until the agent starts again: then the tags of its configuration apply. A reload
/// keeps it, unless the file changed the same tag.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = STATUS_TABLE)]
pub(crate) struct TagsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TagsCommand>,
    #[command(flatten)]
    pub(crate) list: ListTagsArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TagsCommand {
    /// Show all tags, as without a command
    List(ListTagsArgs),
    /// Set tags; the others stay
    Set(SetTagsArgs),
    /// Remove tags; the others stay
    Unset(UnsetTagsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct ListTagsArgs {
    /// The form of the output
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct SetTagsArgs {
    /// The tags to set
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct UnsetTagsArgs {
    /// The keys of the tags to remove
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not a tag; give KEY=VALUE, such as role=db")),
    }
}

/// Sends a named event to all members.
///
/// Each member shows it once, as `user_event`, to the programs that follow its events. Members that
/// join later do not receive it.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct EventArgs {
    /// The name of the event: 1 to 63 letters, digits, '.', '_' and '-'
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What the event carries, at most 960 bytes
    #[arg(value_name = "PAYLOAD", default_value = "", hide_default_value = true)]
    pub(crate) payload: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Reports the health of a service whose check is `ttl`.
///
/// Run it at least once in the time of the check, or the service becomes critical.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct ReportArgs {
    /// The name of the service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: ServiceName,
    /// Its health
    #[arg(value_name = "HEALTH")]
    pub(crate) health: ReportedHealth,
    /// Why, in a few words that the other members show (at most 120 bytes)
    #[arg(value_name = "NOTE", default_value = "", hide_default_value = true)]
    pub(crate) note: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Makes an agent read its configuration file and its other files again, as SIGHUP does.
///
/// It applies what changed in them, opens the event log again, and names the settings that change
/// only with a restart. A file that cannot be used changes nothing.
#[derive(Debug, Args)]
#[command(after_help = STATUS_TABLE)]
pub(crate) struct ReloadArgs {
    /// The form of the output; `wide` also names what did not change
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
