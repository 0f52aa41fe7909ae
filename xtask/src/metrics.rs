//! Checks what the project offers to Prometheus with Prometheus' own tool, `promtool`: the metrics
//! of a running member, the alerts and their tests, and the queries of the dashboard.
//!
//! Whether the files name only metrics that exist is a test of the crate `kinfolk`, which needs no
//! other program.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::ci::SKIPPED;
use crate::shell;

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const ALERT_TESTS: &str = "deploy/prometheus/alerts_test.yml";
const DASHBOARD: &str = "deploy/grafana/kinfolk.json";

/// Runs all checks. Without `promtool` it skips them, and says so: the setup does not install it,
/// because Debian's package `prometheus` also starts a server.
///
/// # Errors
/// When a member does not start, or promtool finds a mistake.
pub(crate) fn check() -> Result<String> {
    if !has_promtool() {
        eprintln!(
            "*** {SKIPPED}: promtool is missing; install it, on Debian with the package `prometheus`, and \
             stop the server that the package starts ***"
        );
        return Ok(format!("{SKIPPED}, no promtool"));
    }
    let folder = shell::target().join("metrics");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let samples = check_page(&folder.join("page.txt"))?;
    shell::run(&mut promtool(["check", "rules", ALERTS])).context("the alerts are not valid")?;
    shell::run(&mut promtool(["test", "rules", ALERT_TESTS]))
        .context("an alert does not do what its test says")?;
    let queries = check_dashboard(&folder.join("dashboard.yml"))?;
    Ok(format!("{samples} samples, the alerts, and {queries} queries of the dashboard"))
}

/// Prints the metrics of a member of three, and checks their names, units, and helps. Returns the
/// number of samples.
fn check_page(file: &Path) -> Result<usize> {
    // A build of the whole workspace has the metrics turned on, and the tests have made it before.
    shell::run(&mut shell::cargo(["build", "--workspace", "--example", "metrics"]))?;
    let example = shell::target().join("debug/examples/metrics");
    let page = shell::capture(&mut Command::new(example)).context("no member prints its metrics")?;
    let samples = page.lines().filter(|line| line.starts_with("kinfolk_")).count();
    ensure!(samples > 0, "the member printed no metrics");
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))?;
    let page = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    shell::run(promtool(["check", "metrics"]).stdin(page))
        .context("the metrics break a rule of Prometheus")?;
    Ok(samples)
}

/// Checks that Prometheus can parse the queries of the dashboard, as rules that record them.
/// Returns their number.
fn check_dashboard(file: &Path) -> Result<usize> {
    let path = shell::root().join(DASHBOARD);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let dashboard: Value = serde_json::from_str(&text).with_context(|| format!("{DASHBOARD} is no JSON"))?;
    let queries = queries(&dashboard);
    ensure!(!queries.is_empty(), "{DASHBOARD} has no query");
    let rule =
        |(number, query): (usize, &String)| json!({ "record": format!("query:{number}"), "expr": query });
    let rules: Vec<Value> = queries.iter().enumerate().map(rule).collect();
    // Each JSON text is a YAML text.
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    fs::write(file, rules).with_context(|| format!("cannot write {}", file.display()))?;
    shell::run(promtool(["check", "rules"]).arg(file)).context("a query of the dashboard is not valid")?;
    Ok(queries.len())
}

/// The queries of all panels, with a length for Grafana's variable of a length.
fn queries(dashboard: &Value) -> Vec<String> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let panels = list(dashboard, "panels");
    let targets = panels.iter().flat_map(|panel| list(panel, "targets"));
    let query = |target: Value| target["expr"].as_str().map(|query| query.replace("$__rate_interval", "5m"));
    targets.filter_map(query).collect()
}

fn has_promtool() -> bool {
    let version = promtool(["--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn promtool<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("promtool");
    command.args(args).current_dir(shell::root()).stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_all_panels_are_found() {
        let dashboard = json!({ "panels": [
            { "type": "row", "panels": [] },
            { "targets": [{ "expr": "up" }, { "expr": "rate(a_total[$__rate_interval])" }, { "refId": "C" }] },
            { "targets": [{ "expr": "b" }] },
        ] });
        assert_eq!(queries(&dashboard), ["up", "rate(a_total[5m])", "b"]);
        assert!(queries(&json!({})).is_empty());
    }
}
