//! `kinfolk info NODE`: shows one member with all that an agent knows of it.

use super::members::suspicion;
use super::{json, print, rtt};
use crate::api::views::{CoordinateView, MemberView};
use crate::cli::{NodeArgs, Output};
use crate::client::{Client, block_on};
use crate::exit::Failure;
use crate::render::{Paint, Tone, printable};

pub(crate) fn run(args: &NodeArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let view: MemberView = block_on(client.get(&format!("/v1/members/{}", args.node)))?;
    print(&match args.output {
        Output::Json | Output::Jsonl => json(&view)?,
        Output::Table | Output::Wide => as_lines(Paint::of_stdout(), &view),
    })
}

/// One line for each property.
fn as_lines(paint: Paint, view: &MemberView) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, tone, value: &str| {
        lines.push(format!(
            "{}  {}\n",
            paint.tone(Tone::Faint, &format!("{name:<11}")),
            paint.tone(tone, &printable(value))
        ));
    };
    let note = if view.note.is_empty() { String::new() } else { format!(" ({})", view.note) };
    // A node that failed or left stated its health while it was a member.
    let note = if view.state.is_member() { note } else { format!("{note}, as it said last") };
    line("name", Tone::Strong, view.name.as_str());
    line("address", Tone::Plain, &view.addr.to_string());
    line("state", Tone::of(view.state), view.state.as_str());
    line("health", Tone::of_health(view.health), &format!("{}{note}", view.health));
    line("incarnation", Tone::Plain, &view.incarnation.get().to_string());
    line("phi", Tone::Plain, &view.phi.map_or_else(|| "-".to_owned(), |phi| format!("{phi:.1}")));
    line("rtt", Tone::Plain, &rtt(view.rtt_us));
    if let Some(CoordinateView { position_us, height_us, error }) = &view.coordinate {
        let position = position_us.map(|micros| format!("{:.1}", f64::from(micros) / 1_000.0)).join(", ");
        let height = rtt(Some(*height_us));
        line("coordinate", Tone::Plain, &format!("({position}) ms, height {height}, error {error:.2}"));
    }
    if let Some(suspected) = &view.suspicion {
        line("suspicion", Tone::Warning, &suspicion(suspected));
    }
    for service in &view.services {
        let tone = if service.note.is_empty() { Tone::Plain } else { Tone::of_health(service.health) };
        let note = if service.note.is_empty() { String::new() } else { format!(": {}", service.note) };
        line("service", tone, &format!("{service}{note}"));
    }
    for (key, value) in view.tags.iter() {
        line("tag", Tone::Plain, &format!("{key}={value}"));
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_property_has_a_line() {
        let view: MemberView = serde_json::from_value(serde_json::json!({
            "name": "db-1", "addr": "10.0.0.1:7946", "state": "suspect", "incarnation": 17, "tags": { "role": "db" },
            "coordinate": { "position_us": [12_345, -6_789, 0, 50], "height_us": 250, "error": 0.125 },
            "phi": 9.26, "rtt_us": 850, "health": "warning", "note": "slow",
            "suspicion": { "silent_ms": 3_250, "suspect_ms": null, "held": null },
            "services": [{ "name": "sql", "port": 5432, "health": "critical", "note": "refused" }],
        }))
        .unwrap();
        let expected = "\
name         db-1
address      10.0.0.1:7946
state        suspect
health       warning (slow)
incarnation  17
phi          9.3
rtt          850 us
coordinate   (12.3, -6.8, 0.0, 0.1) ms, height 250 us, error 0.12
suspicion    silent for 3.2 s
service      sql:5432 (critical): refused
tag          role=db
";
        assert_eq!(as_lines(Paint::off(), &view), expected);
    }
}
