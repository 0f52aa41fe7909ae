//! Tests of `kinfolk demo`: all its steps, as JSON objects and as text.

use std::process::Stdio;

use serde_json::Value;

use crate::process::{command, run};

#[test]
fn json_output_ends_in_a_summary() {
    let run = run(&["demo", "--json", "--nodes", "3", "--watch", "8"]);
    run.must_succeed();
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, events) = lines.split_last().unwrap();
    assert_eq!(
        (&summary["kind"], &summary["nodes"], &summary["views_agree"]),
        (&"summary".into(), &3.into(), &true.into())
    );
    for name in
        ["join_s", "broadcast_ms", "crash_first_s", "crash_last_s", "leave_last_s", "bytes_per_node_s"]
    {
        assert!(summary[name].as_f64().unwrap() > 0.0, "{name}: {summary}");
    }
    assert_eq!(summary["false_failures"], 0);

    let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert!(events.iter().all(|event| event["kind"].is_string() && event["at_s"].is_number()), "{events:#?}");
    assert_eq!(count("node_failed"), 2, "both survivors declare it failed");
    assert_eq!(count("node_left"), 1, "the one that still runs sees the leave");
    assert_eq!(count("broadcast"), 2);
    assert!(count("node_joined") >= 6 + 2, "all see all others, and after the return each sees the other");
    let steps: Vec<&str> = events.iter().filter_map(|event| event["step"].as_str()).collect();
    for step in ["join", "broadcast", "rest", "crash", "leave", "return"] {
        assert!(steps.contains(&step), "{step} is missing");
    }
}

#[test]
fn output_in_a_pipe_is_plain_text() {
    let run = run(&["demo", "--nodes", "4", "--watch", "1"]);
    run.must_succeed();
    assert!(!run.stdout.contains('\x1b'), "colours are for terminals");
    for part in ["4 members join", "node-3 crashes", "accused by", "as seen by", "Summary", "false failures"]
    {
        assert!(run.stdout.contains(part), "{part:?} is not in:\n{}", run.stdout);
    }
}

#[test]
fn closed_pipe_ends_the_demo_silently() {
    let mut child = command(&["demo"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
