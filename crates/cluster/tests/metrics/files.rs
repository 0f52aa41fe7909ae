//! The files that name metrics: the dashboard, the alerts, their tests, and the page of operations.

use std::collections::BTreeSet;
use std::fs;

use kinfolk::metrics::Format;

use super::{example, names, repository};

const OPERATIONS: &str = "docs/operations.md";
const DASHBOARD: &str = "deploy/grafana/kinfolk.json";
const ALERTS: &str = "deploy/prometheus/alerts.yml";
const ALERT_TESTS: &str = "deploy/prometheus/alerts_test.yml";

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All words of a text that begin with `kinfolk_`, as far as they are names of metrics.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c)).filter(|word| word.starts_with("kinfolk_"));
    words.map(str::to_owned).collect()
}

/// The names of the alerts in a file of rules, or in a file of tests for them.
fn alerts_in(text: &str, key: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| Some(line.strip_prefix(key)?.trim().to_owned())).collect()
}

/// The names of all samples, series of members included.
async fn existing() -> BTreeSet<String> {
    names(&example::run(Format::Prometheus).await.unwrap())
}

/// The name of the metric of a sample: a histogram has three samples.
fn metric(sample: &str) -> &str {
    let ends = ["_bucket", "_sum", "_count"];
    ends.iter().find_map(|end| sample.strip_suffix(end)).unwrap_or(sample)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboard_and_alerts_name_only_existing_metrics() {
    let existing = existing().await;
    for file in [DASHBOARD, ALERTS, ALERT_TESTS] {
        let named = metrics_in(&read(file));
        assert!(named.len() > 10, "{file} names only {named:?}");
        let unknown: Vec<_> = named.difference(&existing).collect();
        assert!(unknown.is_empty(), "{file} names metrics that do not exist: {unknown:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_of_operations_has_each_metric_and_no_other() {
    let existing: BTreeSet<String> = existing().await.iter().map(|name| metric(name).to_owned()).collect();
    // Only the first cell of a row of a table documents a metric.
    let page = read(OPERATIONS);
    let rows = page.lines().filter(|line| line.starts_with("| `kinfolk_"));
    let documented: BTreeSet<String> =
        rows.flat_map(|row| metrics_in(row.split('|').nth(1).unwrap_or_default())).collect();
    let missing: Vec<_> = existing.difference(&documented).collect();
    assert!(missing.is_empty(), "not in {OPERATIONS}: {missing:?}");
    let unknown: Vec<_> = documented.difference(&existing).collect();
    assert!(unknown.is_empty(), "in {OPERATIONS} but in no scrape: {unknown:?}");
}

/// Labels whose values depend on the member, and those of a histogram.
const FREE_LABELS: [&str; 5] = ["version", "node", "cluster", "member", "le"];

/// The page promises that a label has only the values that its table shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_of_operations_has_each_value_of_a_label() {
    let (scrape, page) = (example::run(Format::Prometheus).await.unwrap(), read(OPERATIONS));
    for sample in scrape.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = sample.split_once('{') else { continue };
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}`", metric(name))));
        let labels = row.and_then(|row| row.split('|').nth(2)).unwrap_or_default();
        let pairs = rest.split('}').next().unwrap_or_default().split(',');
        for (label, value) in pairs.filter_map(|pair| pair.split_once('=')) {
            let value = value.trim_matches('"');
            let is_shown = labels.contains(&format!("`{value}`")) || labels.contains("as above");
            assert!(FREE_LABELS.contains(&label) || is_shown, "{OPERATIONS} lacks the value of {sample}");
        }
    }
}

#[test]
fn each_alert_is_tested_and_documented() {
    let alerts = alerts_in(&read(ALERTS), "alert:");
    assert!(alerts.len() > 10, "{alerts:?}");
    let tested = alerts_in(&read(ALERT_TESTS), "alertname:");
    assert_eq!(alerts, tested, "{ALERTS} and {ALERT_TESTS}");
    let page = read(OPERATIONS);
    let missing: Vec<_> = alerts.iter().filter(|alert| !page.contains(&format!("| `{alert}` |"))).collect();
    assert!(missing.is_empty(), "not in {OPERATIONS}: {missing:?}");
}
