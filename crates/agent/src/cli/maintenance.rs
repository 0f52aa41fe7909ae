//! The arguments of `kinfolk maintenance`.

use clap::{ArgGroup, Args, ValueEnum};
use kinfolk::Condition;

use super::ConnectArgs;
use crate::exit::{Failure, STATUS_TABLE, Status};
use crate::span::Span;

/// Announces a planned absence of an agent's member, ends it, or shows it.
///
/// Without arguments it shows whether the member is in maintenance.
/// During a maintenance no member declares this one failed, even if it is silent or its process has
/// ended, and none chooses its services. Afterwards the ordinary rules hold. The maintenance ends
/// after its time, with `off`, and when the agent starts again.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("action").args(["switch", "length", "end"]).multiple(true),
    after_help = STATUS_TABLE
)]
pub(crate) struct MaintenanceArgs {
    /// Whether to begin or to end it
    #[arg(value_name = "on|off", requires_if("on", "length"))]
    pub(crate) switch: Option<Switch>,
    /// How long it lasts, such as 10m; at most 24h. A second one replaces the first
    #[arg(long = "for", value_name = "DURATION", value_parser = length, conflicts_with = "end")]
    pub(crate) length: Option<Seconds>,
    /// Why, in a few words that the other members show (at most 120 bytes)
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, conflicts_with = "end")]
    pub(crate) note: String,
    /// The same as `off`
    #[arg(long, hide = true, conflicts_with = "switch")]
    pub(crate) end: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Whether to begin or to end a maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Begin it; needs --for
    On,
    /// End it now
    Off,
}

/// What to do about a maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Show,
    Begin(Seconds),
    End,
}

impl MaintenanceArgs {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// The arguments contradict each other.
    pub(crate) fn action(&self) -> Result<Action, Failure> {
        match (self.switch, self.length) {
            // `off` ends the maintenance at once, so it takes no length. What to do: leave out one
            // of the two.
            (Some(Switch::Off), Some(_)) => {
                Err(Failure::new(Status::Usage, "`off` takes no --for; leave it out, or give `on`"))
            }
            // `off` ends the maintenance, so it needs no reason. What to do: leave out one of the
            // two.
            (Some(Switch::Off), None) if !self.note.is_empty() => {
                Err(Failure::new(Status::Usage, "`off` takes no --note; leave it out, or give `on`"))
            }
            // A note alone announces nothing. What to do: give the length too.
            (None, None) if !self.note.is_empty() => Err(Failure::new(
                Status::Usage,
                "--note needs a length; give it with --for, such as --for 10m",
            )),
            (_, Some(length)) => Ok(Action::Begin(length)),
            (None, None) if !self.end => Ok(Action::Show),
            (_, None) => Ok(Action::End),
        }
    }
}

/// The length of a maintenance in whole seconds, from 1 to 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u32);

fn length(text: &str) -> Result<Seconds, String> {
    let Span(length) = text.parse()?;
    // Part of a second counts as a whole one, as in the statement to the other members.
    let seconds = length.as_millis().div_ceil(1_000);
    let longest = Condition::MAINTENANCE_MAX;
    match u32::try_from(seconds) {
        Ok(0) => Err(format!("{text:?} is too short; give at least 1s")),
        Ok(seconds) if length <= longest => Ok(Seconds(seconds)),
        _ => {
            let hours = longest.as_secs() / 3_600;
            Err(format!("{text:?} is too long; give at most {hours}h, or use `kinfolk leave`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_1_second_to_24_hours() {
        assert_eq!(length("10m"), Ok(Seconds(600)));
        assert_eq!((length("1ms"), length("24h")), (Ok(Seconds(1)), Ok(Seconds(86_400))));
        assert_eq!(length("0s").unwrap_err(), "\"0s\" is too short; give at least 1s");
        for long in ["86401s", "86400001ms"] {
            let refused = length(long).unwrap_err();
            assert!(refused.contains("is too long; give at most 24h"), "{refused}");
        }
        assert!(length("10").unwrap_err().contains("has no unit"));
    }
}
