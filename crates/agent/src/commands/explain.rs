//! `kinfolk explain NODE`: explains why a member has its state.

use std::time::Duration;

use super::members::suspicion;
use super::{json, print, time};
use crate::api::views::{ExplainView, FindingView};
use crate::cli::{NodeArgs, Output};
use crate::client::{Client, block_on};
use crate::exit::Failure;
use crate::render::{Cell, Paint, Tone, table};

pub(crate) fn run(args: &NodeArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let view: ExplainView = block_on(client.get(&format!("/v1/members/{}/explain", args.node)))?;
    print(&match args.output {
        Output::Json => json(&view)?,
        Output::Jsonl => super::json_lines(&view.findings)?,
        Output::Table => as_text(Paint::of_stdout(), &view, false),
        Output::Wide => as_text(Paint::of_stdout().uncut(), &view, true),
    })
}

/// A sentence on the present state, then the findings.
fn as_text(paint: Paint, view: &ExplainView, wide: bool) -> String {
    let state = paint.tone(Tone::of(view.state), view.state.as_str());
    let silence = view.silence_ms.map(|silence| {
        format!("; the last message from it came {} ago", time(Duration::from_millis(silence)))
    });
    let phi = view.phi.map(|phi| format!(" (phi {phi:.1})"));
    let suspected = view.suspicion.as_ref().map(|suspected| format!("; {}", suspicion(suspected)));
    let more: String = [silence, phi, suspected].into_iter().flatten().collect();
    let head = format!("{} is {state}{more}", view.name);
    if view.findings.is_empty() {
        let found = "this agent has found nothing about it; another agent may watch it: ask that one with --url, or on its host";
        return format!("{head}\n{found}\n");
    }
    let mut headings = vec!["ago", "finding", "why", "accusers"];
    if wide {
        headings.extend(["incarnation", "phi", "round trip", "local health"]);
    }
    let row = |finding: &FindingView| {
        let accusers: Vec<&str> = finding.accusers.iter().map(kinfolk::NodeId::as_str).collect();
        let mut row = vec![
            Cell::plain(time(Duration::from_millis(finding.ago_ms))),
            Cell::plain(&finding.finding),
            Cell::plain(&finding.why),
            Cell::plain(if accusers.is_empty() { "-".to_owned() } else { accusers.join(" ") }),
        ];
        if wide {
            let phi = finding.phi.map_or_else(|| "-".to_owned(), |phi| format!("{phi:.1}"));
            row.extend([
                Cell::plain(finding.incarnation.get()),
                Cell::plain(phi),
                Cell::plain(super::rtt(finding.round_trip_us)),
                Cell::plain(finding.local_health),
            ]);
        }
        row
    };
    format!("{head}\n\n{}", table(paint, &headings, &view.findings.iter().map(row).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(findings: &serde_json::Value) -> ExplainView {
        serde_json::from_value(serde_json::json!({
            "name": "b", "state": "failed", "phi": null, "silence_ms": 12_300, "suspicion": null, "findings": findings,
        }))
        .unwrap()
    }

    #[test]
    fn findings_have_their_reason() {
        let finding = serde_json::json!([{
            "ago_ms": 4_200, "finding": "failed", "why": "silent for 5.0 s", "accusers": ["a", "c"], "incarnation": 3,
            "phi": 9.1, "round_trip_us": 500, "local_health": 0,
        }]);
        let text = as_text(Paint::off(), &view(&finding), false);
        let expected = "\
b is failed; the last message from it came 12.3 s ago

ago    finding  why               accusers
4.2 s  failed   silent for 5.0 s  a c
";
        assert_eq!(text, expected);
        let wide = as_text(Paint::off(), &view(&finding), true);
        assert!(wide.ends_with("a c       3            9.1  500 us      0\n"), "{wide}");
        assert!(
            as_text(Paint::off(), &view(&serde_json::json!([])), false)
                .contains("another agent may watch it")
        );
    }
}
