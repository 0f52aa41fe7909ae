//! Precedence, defaults and faults of the agent's settings.

use clap::Parser;
use kinfolk::{Mode, Tags};

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

fn flags(args: &[&str]) -> Settings {
    Line::try_parse_from(std::iter::once(&"agent").chain(args)).unwrap().settings
}

fn file(text: &str) -> Settings {
    file::parse(text).unwrap()
}

const NEEDED: &str = "cert = 'a'\nkey = 'b'\nca = 'c'\nlisten = '127.0.0.1:1'\n";

fn with(more: &str) -> AgentConfig {
    AgentConfig::check(file(&format!("{NEEDED}{more}"))).unwrap()
}

fn cluster(config: &AgentConfig) -> ClusterConfig {
    let ca = kinfolk::ClusterCa::create(&"town".parse().unwrap()).unwrap();
    config.cluster(ca.issue(&"a".parse().unwrap(), Duration::from_hours(1)).unwrap())
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    let from_file = file("listen = '127.0.0.1:1'\nlog_level = 'debug'\njoin = ['a:1', 'b:1']");
    let settings = flags(&["--listen", "127.0.0.1:2", "--join", "c:1"]).over(from_file);
    assert_eq!(settings.listen, Some("127.0.0.1:2".parse().unwrap()));
    assert_eq!(settings.join, Some(vec!["c:1".to_owned()]), "a list is taken whole");
    assert_eq!(settings.log_level.as_deref(), Some("debug"));
    assert_eq!(settings.socket, None);
}

/// Every setting, in the order in which they are declared.
const ALL: &str = "cert = '1'\nkey = '2'\nca = '3'\nlisten = '127.0.0.1:4'\nadvertise = '127.0.0.1:5'\n\
    join = ['h:6', 'i:6']\njoin_attempts = 7\nstate_dir = '17'\nsocket = '9'\nlog_level = 'warn'\nlog_format = 'json'\n\
    event_log = '10'\nmode = 'swim'\ntolerated_pause = '30s'\nprobe_interval = '12s'\nprobe_timeout = '13ms'\n\
    partition_grace = '17s'\nquorum_percent = 51\nflap_damping = true\npool_max_total = 14\n\
    pool_idle_timeout = '15m'\nleave_timeout = '16s'\n[tags]\nk = '8'\nl = 'm'";

#[test]
fn every_setting_means_the_same_as_a_flag_and_in_the_file() {
    #[rustfmt::skip]
    let from_flags = flags(&[
        "--cert", "1", "--key", "2", "--ca", "3", "--listen", "127.0.0.1:4", "--advertise", "127.0.0.1:5",
        "--join", "h:6,i:6", "--join-attempts", "7", "--tag", "k=8", "--tag", "l=m", "--state-dir", "17", "--socket", "9",
        "--log-level", "warn", "--log-format", "json", "--event-log", "10", "--mode", "swim", "--tolerated-pause", "30s", "--probe-interval", "12s",
        "--probe-timeout", "13ms", "--partition-grace", "17s", "--quorum-percent", "51", "--flap-damping", "true",
        "--pool-max-total", "14", "--pool-idle-timeout", "15m", "--leave-timeout", "16s",
    ]);
    assert_eq!(file(ALL), from_flags);
    assert_eq!(
        file(ALL).over(Settings::default()),
        from_flags,
        "nothing is lost when the two are put together"
    );
    assert_eq!(Settings::default().over(file(ALL)), from_flags);
}

#[test]
fn the_settings_reach_the_member() {
    let config = AgentConfig::check(file(ALL)).unwrap();
    let cluster = cluster(&config);
    assert_eq!(cluster.listen, "127.0.0.1:4".parse().unwrap());
    assert_eq!(cluster.advertise.unwrap().to_string(), "127.0.0.1:5");
    assert_eq!(cluster.tags, Tags::new([("k", "8"), ("l", "m")]).unwrap());
    assert_eq!(cluster.swim.mode, Mode::Swim);
    assert_eq!((cluster.swim.probe_interval.as_secs(), cluster.swim.probe_timeout.as_millis()), (12, 13));
    assert_eq!((cluster.swim.partition_grace.as_secs(), cluster.swim.quorum_percent), (17, 51));
    assert!(cluster.swim.flaps.is_some());
    assert_eq!(cluster.health.phi.expected_interval.as_secs(), 12);
    assert_eq!((cluster.pool.max_total, cluster.pool.idle_timeout.as_secs()), (14, 900));
    assert_eq!(cluster.state_dir, Some("17".into()));
    assert_eq!((cluster.join.attempts, cluster.shutdown.leave.as_secs()), (Some(7), 16));
}

#[test]
fn without_settings_the_defaults_of_the_library_hold() {
    let config = with("");
    let (found, expected) = (cluster(&config), ClusterConfig::new(cluster(&config).identity, config.listen));
    assert_eq!((found.swim, found.health), (expected.swim, expected.health));
    assert_eq!((found.pool, found.join, found.shutdown), (expected.pool, expected.join, expected.shutdown));
    assert_eq!((config.log_level.as_str(), config.log_format), ("info", LogFormat::Text));
}

#[test]
fn a_short_probe_interval_brings_a_time_out_that_fits() {
    let config = cluster(&with("probe_interval = '200ms'"));
    assert_eq!(config.swim.probe_timeout, Duration::from_millis(100));
    assert_eq!(config.swim.validate(), Ok(()));
}

#[test]
fn each_setting_that_is_needed_is_named_with_the_three_ways_to_give_it() {
    for name in ["cert", "key", "ca", "listen"] {
        let lines: Vec<&str> = NEEDED.lines().filter(|line| !line.starts_with(&format!("{name} "))).collect();
        let failure = AgentConfig::check(file(&lines.join("\n"))).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.status(), Status::Config);
        assert!(text.contains(&format!("`{name}`")), "{text}");
        assert!(text.contains(&format!("--{name} or KINFOLK_{}", name.to_uppercase())), "{text}");
    }
}

#[test]
fn a_fault_of_the_file_is_told_with_its_line() {
    let told = |text: &str| file::parse(text).unwrap_err();
    assert!(told("cert = 'a'\nlsiten = '127.0.0.1:1'").starts_with("line 2: unknown field `lsiten`"));
    assert!(told("\n\nlisten = 'here'").starts_with("line 3: "));
    assert!(told("probe_interval = 5").starts_with("line 1: "));
    assert!(told("probe_interval = '5'").contains("500ms, 2s, 5m or 1h"));
    assert!(told("cert = ").starts_with("line 1: "));
    assert!(told("pool_max_total = 0").contains("`pool_max_total` is 0"));
}

#[test]
fn paths_in_the_file_are_relative_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kinfolk.toml");
    std::fs::write(&path, "cert = 'a.pem'\nkey = '/etc/a-key.pem'").unwrap();
    let settings = file::read(&path).unwrap();
    assert_eq!(settings.cert, Some(folder.path().join("a.pem")));
    assert_eq!(settings.key, Some("/etc/a-key.pem".into()));
}
