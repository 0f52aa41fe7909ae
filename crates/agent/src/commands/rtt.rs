//! `kinfolk rtt NODE [NODE]`: shows the round trip between two members.

use kinfolk::NodeId;
use serde::Serialize;

use super::{json, json_lines, print, rtt};
use crate::api::views::{RoundTripSource, RoundTripView, RoundTripsView};
use crate::cli::{Output, RttArgs};
use crate::client::{Client, block_on, query};
use crate::exit::{Failure, Status};

/// The query of the request.
#[derive(Serialize)]
struct Query<'a> {
    from: Option<&'a NodeId>,
    to: &'a NodeId,
}

pub(crate) fn run(args: &RttArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    // With one name the other end is the agent.
    let (from, to) = match &args.other {
        Some(other) => (Some(&args.node), other),
        None => (None, &args.node),
    };
    let path = query("/v1/round-trips", &Query { from, to })?;
    let view: RoundTripsView = block_on(client.get(&path))?;
    // The agent answered for other members than asked. What to do: use the program of the agent's
    // version.
    let trip = view.round_trips.first().ok_or_else(|| {
        let advice = "check that the agent has the version of this program";
        Failure::new(Status::Failed, format_args!("the agent named no round trip; {advice}"))
    })?;
    print(&match args.output {
        Output::Json => json(&view)?,
        Output::Jsonl => json_lines(&view.round_trips)?,
        Output::Table | Output::Wide => as_line(trip),
    })
}

/// The time, and how it is known.
fn as_line(RoundTripView { from, name, rtt_us, source }: &RoundTripView) -> String {
    let how = match source {
        RoundTripSource::Measured => "measured on their connection",
        RoundTripSource::Estimated => "estimated by their coordinates",
    };
    format!("{} between {from} and {name}, {how}\n", rtt(Some(*rtt_us)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_says_how_the_time_is_known() {
        let line = |source: &str| {
            let view = serde_json::json!({ "from": "a", "name": "b", "rtt_us": 82_130, "source": source });
            as_line(&serde_json::from_value(view).unwrap())
        };
        assert_eq!(line("measured"), "82.1 ms between a and b, measured on their connection\n");
        assert_eq!(line("estimated"), "82.1 ms between a and b, estimated by their coordinates\n");
    }
}
