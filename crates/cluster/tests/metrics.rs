//! The metrics of running members: that they say what happened, and that the page of operations,
//! the dashboard, and the alerts agree with them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::float_cmp, reason = "a float holds each of these whole numbers exactly")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use kinfolk::metrics::prometheus_client::metrics::counter::Counter;
use kinfolk::metrics::prometheus_client::registry::Registry;
use kinfolk::metrics::{self, Format, Metrics, MetricsOptions};
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId, SwimConfig};

#[path = "../examples/metrics.rs"]
#[expect(dead_code, reason = "`main` calls `run`, as the tests do")]
mod example;
#[path = "metrics/files.rs"]
mod files;

/// Longer than any step takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);

fn ca() -> ClusterCa {
    ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap()
}

fn start(ca: &ClusterCa, name: &str) -> Cluster {
    let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(1)).unwrap();
    let mut config = ClusterConfig::new(identity, "127.0.0.1:0".parse().unwrap());
    config.swim.probe_interval = Duration::from_millis(400);
    config.swim.probe_timeout = Duration::from_millis(200);
    Cluster::start(config).unwrap()
}

/// Members that all know each other.
async fn members(names: &[&str]) -> Vec<Cluster> {
    let ca = ca();
    let members: Vec<Cluster> = names.iter().map(|name| start(&ca, name)).collect();
    for member in &members[1..] {
        member.join(&[members[0].addr().to_string()]).await.unwrap();
    }
    for member in &members {
        until(member, |page| value(page, "kinfolk_members{state=\"alive\"}") == names.len() as f64).await;
    }
    members
}

fn page(cluster: &Cluster) -> String {
    Metrics::new(cluster).render(Format::Prometheus)
}

/// Waits until the page of the member is as wanted, and returns it.
async fn until(cluster: &Cluster, wanted: impl Fn(&str) -> bool) -> String {
    let waiting = async {
        loop {
            let page = page(cluster);
            if wanted(&page) {
                return page;
            }
            // Sleeps because counters have no event. The deadline bounds the wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let page = tokio::time::timeout(DEADLINE, waiting).await;
    page.unwrap_or_else(|_| panic!("still not as wanted:\n{}", self::page(cluster)))
}

/// The value of a series, given as it is written.
fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().unwrap()
}

/// The names of all samples of a page.
fn names(page: &str) -> BTreeSet<String> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// All series of a page, without their values.
fn series(page: &str) -> BTreeSet<&str> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_say_what_happened() {
    let members = members(&["a", "b", "c"]).await;
    let page = until(&members[0], |page| {
        value(page, "kinfolk_probe_round_trip_seconds_count") > 0.0
            && value(page, "kinfolk_udp_sent_bytes_total{class=\"probe\"}") > 0.0
    })
    .await;
    for (series, expected) in [
        ("kinfolk_node_info{node=\"a\",cluster=\"test\"}", 1.0),
        ("kinfolk_live_members", 3.0),
        ("kinfolk_group_size", 3.0),
        ("kinfolk_partitioned", 0.0),
        ("kinfolk_member_changes_total{change=\"joined\"}", 2.0),
        ("kinfolk_member_changes_total{change=\"failed\"}", 0.0),
        ("kinfolk_queue_limit{queue=\"outbox\"}", 1_024.0),
        ("kinfolk_queue_limit{queue=\"inbox\"}", 1_024.0),
        ("kinfolk_queue_limit{queue=\"events\"}", 1_000.0),
        ("kinfolk_pool_limit", 50.0),
        ("kinfolk_handshakes_total{outcome=\"untrusted\"}", 0.0),
    ] {
        assert_eq!(value(&page, series), expected, "{series}");
    }
    assert!(value(&page, "kinfolk_handshakes_total{outcome=\"ok\"}") >= 1.0);
    let received =
        |class: &str| value(&page, &format!("kinfolk_udp_received_bytes_total{{class=\"{class}\"}}"));
    assert!(received("handshake") > 1_200.0, "a handshake has full datagrams");
    assert!(received("probe") > 0.0);
    let trips = "kinfolk_probe_round_trip_seconds";
    let (all, count) = (format!("{trips}_bucket{{le=\"+Inf\"}}"), format!("{trips}_count"));
    assert_eq!(value(&page, &all), value(&page, &count));
    assert!(value(&page, &format!("{trips}_sum")) > 0.0);

    members[2].shutdown_now();
    let page = until(&members[0], |page| value(page, "kinfolk_members{state=\"failed\"}") == 1.0).await;
    assert_eq!(value(&page, "kinfolk_member_changes_total{change=\"failed\"}"), 1.0);
    let reasons = page.lines().filter_map(|line| line.strip_prefix("kinfolk_member_failures_total{"));
    let counts: Vec<f64> = reasons.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert_eq!((counts.len(), counts.iter().sum::<f64>()), (9, 1.0), "one of all reasons");
    members[1].shutdown().await;
    until(&members[0], |page| value(page, "kinfolk_member_changes_total{change=\"left\"}") == 1.0).await;
}

#[tokio::test]
async fn certificate_expiry_is_unix_time() {
    let identity = ca().issue(&NodeId::new("a").unwrap(), Duration::from_hours(1)).unwrap();
    let expires = identity.expires_unix_secs() as f64;
    let config = ClusterConfig::new(identity, "127.0.0.1:0".parse().unwrap());
    let page = page(&Cluster::start(config).unwrap());
    let name = "kinfolk_certificate_expiry_timestamp_seconds";
    assert_eq!(value(&page, &format!("{name}{{certificate=\"member\"}}")), expires);
    assert!(value(&page, &format!("{name}{{certificate=\"authority\"}}")) > expires);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_of_series_does_not_depend_on_members() {
    let group = members(&["a", "b", "c", "d"]).await;
    let (alone, one_of_four) = (page(&start(&ca(), "x")), page(&group[0]));
    // Only the names of the member itself differ.
    let without_names = |page: &str| -> BTreeSet<String> {
        series(page)
            .into_iter()
            .filter(|one| !one.starts_with("kinfolk_node_info"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(without_names(&alone), without_names(&one_of_four));
    assert!(series(&alone).len() < 220, "{} series", series(&alone).len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_of_members_are_bounded_and_only_on_request() {
    let group = members(&["a", "b", "c", "d"]).await;
    assert!(!page(&group[0]).contains("kinfolk_member_state"));
    let some = Metrics::with(&group[0], MetricsOptions::default().per_member(3)).render(Format::Prometheus);
    let states = some.lines().filter(|line| line.starts_with("kinfolk_member_state{")).count();
    assert_eq!((states, value(&some, "kinfolk_member_series_omitted")), (3, 1.0));
    assert_eq!(value(&some, "kinfolk_member_state{member=\"c\",state=\"alive\"}"), 1.0);
    assert!(!some.contains("\"d\""), "beyond the bound");
    let all = MetricsOptions::default().per_member(10);
    let all = Metrics::with(&group[0], all).render(Format::Prometheus);
    assert!(value(&all, "kinfolk_member_silence_seconds{member=\"d\"}") >= 0.0);
    assert!(value(&all, "kinfolk_member_round_trip_seconds{member=\"d\"}") > 0.0);
    assert!(!all.contains("kinfolk_member_phi{member=\"a\"}"), "a member does not watch itself");
}

#[tokio::test]
async fn dropped_member_has_no_metrics() {
    let cluster = start(&ca(), "a");
    let metrics = Metrics::new(&cluster);
    assert!(metrics.render(Format::Prometheus).contains("kinfolk_members"));
    drop(cluster);
    assert_eq!(metrics.render(Format::Prometheus), "");
    assert_eq!(metrics.render(Format::OpenMetrics), "# EOF\n");
}

/// A program that has metrics of its own, and two members in one registry.
#[tokio::test]
async fn registry_of_a_program_takes_several_members() {
    let ca = ca();
    let (a, b) = (start(&ca, "a"), start(&ca, "b"));
    let mut registry = Registry::default();
    registry.register("orders", "Orders of the shop", Counter::<u64>::default());
    for (name, cluster) in [("a", &a), ("b", &b)] {
        metrics::register(cluster, registry.sub_registry_with_label(("member".into(), name.into())));
    }
    let mut page = String::new();
    metrics::prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    assert!(page.contains("orders_total 0\n"));
    for name in ["a", "b"] {
        assert_eq!(value(&page, &format!("kinfolk_live_members{{member=\"{name}\"}}")), 1.0);
    }
}

/// Both formats have the same samples, and `OpenMetrics` has the units.
#[tokio::test]
async fn open_metrics_names_units_and_ends() {
    let cluster = start(&ca(), "a");
    let metrics = Metrics::new(&cluster);
    let (open, classic) = (metrics.render(Format::OpenMetrics), metrics.render(Format::Prometheus));
    assert_eq!(names(&open), names(&classic));
    assert!(open.ends_with("\n# EOF\n"));
    assert!(open.contains("# UNIT kinfolk_udp_sent_bytes bytes\n"));
    assert!(open.contains("# UNIT kinfolk_probe_round_trip_seconds seconds\n"));
    assert!(!classic.contains("# UNIT"));
}

/// The default settings, as a check that the settings above do not make the tests easier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn example_prints_metrics_of_three_members() {
    assert_eq!(SwimConfig::default().probe_interval, Duration::from_secs(1));
    let page = example::run(Format::OpenMetrics).await.unwrap();
    assert_eq!(value(&page, "kinfolk_members{state=\"alive\"}"), 3.0);
    assert!(value(&page, "kinfolk_probe_round_trip_seconds_count") >= 1.0);
    assert!(page.contains("kinfolk_member_state{member=\"db-2\",state=\"alive\"} 1\n"));
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
