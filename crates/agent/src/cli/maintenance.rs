//! The arguments of `kinfolk maintenance`.

use clap::{ArgGroup, Args};
use kinfolk::Condition;

use super::ConnectArgs;
use crate::exit::STATUS_TABLE;
use crate::span::Span;

/// Announces a planned absence of the agent on this machine, or ends it.
///
/// During a maintenance no member declares this one failed, even if it is silent or its process has
/// ended, and none chooses its services. Afterwards the ordinary rules hold. The maintenance ends
/// after its time, with --end, and when the agent starts again.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("action").args(["length", "end"]).required(true),
    after_help = STATUS_TABLE
)]
pub(crate) struct MaintenanceArgs {
    /// How long it lasts, such as 10m; at most 24h. A second one replaces the first
    #[arg(long = "for", value_name = "DURATION", value_parser = length)]
    pub(crate) length: Option<Seconds>,
    /// Why, in a few words that the other members show (at most 120 bytes)
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, conflicts_with = "end")]
    pub(crate) note: String,
    /// End the maintenance now
    #[arg(long)]
    pub(crate) end: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
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
