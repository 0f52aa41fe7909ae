//! `kinfolk stats`: shows the counters of an agent.

use super::{json, print};
use crate::api::views::StatsView;
use crate::cli::{Output, StatsArgs};
use crate::client::{Client, block_on};
use crate::exit::Failure;
use crate::render::{Cell, Paint, Tone, table};

pub(crate) fn run(args: &StatsArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let view: StatsView = block_on(client.get("/v1/stats"))?;
    print(&match args.output {
        Output::Json | Output::Jsonl => json(&view)?,
        Output::Table => as_table(Paint::of_stdout(), &view, args.all),
        Output::Wide => as_table(Paint::of_stdout().uncut(), &view, true),
    })
}

/// A line for each counter, without those that are 0 unless `all` is set.
fn as_table(paint: Paint, view: &StatsView, all: bool) -> String {
    // From the JSON, so that a new counter needs no line here.
    let layers = serde_json::to_value(view).unwrap_or_default();
    let mut rows = Vec::new();
    for (layer, counters) in layers.as_object().into_iter().flatten() {
        for (name, value) in counters.as_object().into_iter().flatten() {
            let value = value.as_u64().unwrap_or_default();
            if all || value > 0 {
                rows.push(vec![
                    Cell::new(Tone::Faint, layer),
                    Cell::plain(name),
                    Cell::new(Tone::Strong, value),
                ]);
            }
        }
    }
    table(paint, &["layer", "counter", "value"], &rows)
}
