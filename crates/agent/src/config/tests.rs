//! Tests of the agent's settings: precedence, defaults, and wrong values.

use clap::{Args as _, Parser};
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

/// The configuration of these flags and this text of a file.
pub(crate) fn test_config(args: &[&str], text: &str) -> Result<AgentConfig, Failure> {
    AgentConfig::merge(flags(args), None, file(text))
}

const NEEDED: &str = "cert = 'a'\nkey = 'b'\nca = 'c'\nlisten = '127.0.0.1:1'\n";

fn of_file(text: &str) -> Result<AgentConfig, Failure> {
    AgentConfig::merge(Settings::default(), None, file(text))
}

fn with(more: &str) -> AgentConfig {
    of_file(&format!("{NEEDED}{more}")).unwrap()
}

fn cluster(config: &AgentConfig) -> ClusterConfig {
    let ca = kinfolk::ClusterCa::create(&"test".parse().unwrap()).unwrap();
    config.cluster(ca.issue(&"a".parse().unwrap(), Duration::from_hours(1)).unwrap())
}

#[test]
fn flag_outranks_file_and_file_outranks_default() {
    let from_file = file("listen = '127.0.0.1:1'\nlog_level = 'debug'\njoin = ['a:1', 'b:1']");
    let settings = flags(&["--listen", "127.0.0.1:2", "--join", "c:1"]).over(from_file);
    assert_eq!(settings.listen, Some("127.0.0.1:2".parse().unwrap()));
    assert_eq!(
        settings.join,
        Some(vec!["c:1".parse().unwrap()]),
        "the seeds come from one source as a whole"
    );
    assert_eq!(settings.log_level, Some("debug".parse().unwrap()));
    assert_eq!(settings.socket, None);
}

/// Every setting, in the order of its declaration.
const ALL: &str = "cert = '1'\nkey = '2'\nca = '3'\nlisten = '127.0.0.1:4'\nadvertise = '127.0.0.1:5'\n\
    join = ['h:6', 'i:6']\njoin_attempts = 7\nstate_dir = '17'\nrejoin_after_stop = false\nsocket = '9'\nhttp = '127.0.0.1:19'\nhttp_cert = '20'\nhttp_key = '21'\nhttp_client_ca = '22'\nhttp_tokens = '23'\nhttp_role = 'write'\nhttp_hosts = ['h', 'i']\nlog_level = 'warn'\nlog_format = 'json'\n\
    event_log = '10'\nmode = 'swim'\ntolerated_pause = '30s'\nprobe_interval = '12s'\nprobe_timeout = '13ms'\n\
    partition_grace = '17s'\nquorum_percent = 51\naccusers_required = 3\nflap_damping = true\ntombstone_ttl = '18h'\npool_max_total = 14\n\
    pool_idle_timeout = '15m'\ncoordinates = false\nleave_timeout = '16s'\n[tags]\nk = '8'\nl = 'm'";

#[test]
fn flag_and_file_give_the_same_settings() {
    #[rustfmt::skip]
    let from_flags = flags(&[
        "--cert", "1", "--key", "2", "--ca", "3", "--listen", "127.0.0.1:4", "--advertise", "127.0.0.1:5",
        "--join", "h:6,i:6", "--join-attempts", "7", "--tag", "k=8", "--tag", "l=m", "--state-dir", "17", "--rejoin-after-stop", "false", "--socket", "9",
        "--http", "127.0.0.1:19", "--http-cert", "20", "--http-key", "21", "--http-client-ca", "22", "--http-tokens", "23", "--http-role", "write", "--http-hosts", "h,i",
        "--log-level", "warn", "--log-format", "json", "--event-log", "10", "--mode", "swim", "--tolerated-pause", "30s", "--probe-interval", "12s",
        "--probe-timeout", "13ms", "--partition-grace", "17s", "--quorum-percent", "51", "--accusers-required", "3", "--flap-damping", "true", "--tombstone-ttl", "18h",
        "--pool-max-total", "14", "--pool-idle-timeout", "15m", "--coordinates", "false", "--leave-timeout", "16s",
    ]);
    let in_pairs = |settings: &Settings| SourceTags::of(settings.tags.clone()).unwrap();
    assert_eq!(in_pairs(&file(ALL)), in_pairs(&from_flags));
    let without_tags = |settings: Settings| Settings { tags: Vec::new(), ..settings };
    let expected = without_tags(from_flags);
    assert_eq!(without_tags(file(ALL)), expected);
    assert_eq!(file(ALL).over(Settings::default()), expected, "`over` names every setting");
    assert_eq!(Settings::default().over(file(ALL)), expected);
}

#[test]
fn settings_reach_the_member() {
    let config = of_file(ALL).unwrap();
    let cluster = cluster(&config);
    assert_eq!(cluster.listen, "127.0.0.1:4".parse().unwrap());
    assert_eq!(cluster.advertise.unwrap().to_string(), "127.0.0.1:5");
    assert_eq!(cluster.tags, Tags::new([("k", "8"), ("l", "m")]).unwrap());
    assert_eq!(cluster.swim.mode, Mode::Swim);
    assert_eq!((cluster.swim.probe_interval.as_secs(), cluster.swim.probe_timeout.as_millis()), (12, 13));
    assert_eq!((cluster.swim.partition_grace.as_secs(), cluster.swim.quorum_percent), (17, 51));
    assert_eq!(cluster.swim.accusers_required, 3);
    assert!(cluster.swim.flaps.is_some());
    assert_eq!(cluster.health.phi.expected_interval.as_secs(), 12);
    assert_eq!((cluster.pool.max_total, cluster.pool.idle_timeout.as_secs()), (14, 900));
    assert_eq!(cluster.state_dir, Some("17".into()));
    assert_eq!((cluster.rejoin_after_stop, cluster.swim.tombstone_ttl), (false, Duration::from_hours(18)));
    assert!(!cluster.coordinates);
    assert_eq!((cluster.join.attempts, cluster.shutdown.leave.as_secs()), (Some(7), 16));
}

#[test]
fn services_reach_the_member() {
    let config = with("[services.db]\nport = 5432\ncheck = { tcp = '127.0.0.1:5432' }");
    let offered = cluster(&config).services;
    assert_eq!(offered.get("db"), Some(&kinfolk::Service::new(5432)));
    assert_eq!((offered.len(), config.services.checks.len()), (1, 1));
}

#[test]
fn missing_settings_keep_the_library_defaults() {
    let config = with("");
    let (found, expected) = (cluster(&config), ClusterConfig::new(cluster(&config).identity, config.listen));
    assert_eq!((found.swim, found.health), (expected.swim, expected.health));
    assert_eq!((found.coordinates, expected.coordinates), (true, true));
    assert_eq!((found.pool, found.join, found.shutdown), (expected.pool, expected.join, expected.shutdown));
    assert_eq!((config.log_level.to_string().as_str(), config.log_format), ("info", LogFormat::Text));
}

#[test]
fn short_probe_interval_shortens_the_default_time_out() {
    let config = cluster(&with("probe_interval = '200ms'"));
    assert_eq!(config.swim.probe_timeout, Duration::from_millis(100));
    assert_eq!(config.swim.validate(), Ok(()));
}

#[test]
fn missing_setting_is_named_with_the_ways_to_give_it() {
    for name in ["cert", "key", "ca", "listen"] {
        let lines: Vec<&str> = NEEDED.lines().filter(|line| !line.starts_with(&format!("{name} "))).collect();
        let failure = of_file(&lines.join("\n")).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.status(), Status::Config);
        assert!(text.contains(&format!("`{name}`")), "{text}");
        assert!(text.contains(&format!("--{name} or KINFOLK_{}", name.to_uppercase())), "{text}");
    }
}

#[test]
fn fault_in_the_file_names_line_key_and_form() {
    let fault = |text: &str| file::parse(text).unwrap_err();
    let lines = [
        fault("cert = 'a'\nlsiten = '127.0.0.1:1'"),
        fault("nonsense = 1"),
        fault("tolerated_pause = 5"),
        fault("tolerated_pause = '5'"),
        fault("\njoin = 'host:1'"),
        fault("join = ['host:1', 5]"),
        fault("[tags]\nrole = 1"),
        fault("cert = "),
    ];
    assert_eq!(lines[0], "line 2: there is no setting \"lsiten\"; did you mean \"listen\"?");
    assert_eq!(lines[1], "line 1: there is no setting \"nonsense\"; `kinfolk agent --help` lists all");
    assert_eq!(
        lines[2],
        "line 1, tolerated_pause: 5 has no unit; give a number with its unit, such as \"500ms\", \
         \"2s\", \"5m\" or \"1h\""
    );
    assert!(lines[3].contains("\"5\" has no unit; give a number with its unit"), "{}", lines[3]);
    assert!(
        lines[4].starts_with("line 2, join: \"host:1\" is not a list; give a list, such as join = ["),
        "{}",
        lines[4]
    );
    assert!(lines[5].contains("5 in the list is not in quotes"), "{}", lines[5]);
    assert!(lines[6].contains("the value 1 of the tag \"role\" is not in quotes"), "{}", lines[6]);
    assert!(lines[7].starts_with("line 1, cert: "), "{}", lines[7]);
}

/// For each setting: wrong values, and a part of the message for each.
#[rustfmt::skip]
const WRONG: [(&str, &[(&str, &str)]); 33] = [
    ("cert", &[("", "empty")]),
    ("key", &[("", "empty")]),
    ("ca", &[("", "empty")]),
    ("listen", &[
        ("10.0.0.1", "has no port; give an IP address and a port, such as 10.0.0.1:7946"),
        (":7946", "has no IP address"), ("db-1:7946", "is a name, and not an IP address"),
        ("10.0.0.1:70000", "is wrong"), ("", "empty"),
    ]),
    ("advertise", &[("10.0.0.1", "has no port"), ("db-1", "is a name")]),
    ("join", &[
        ("no-port", "give a host and a port"), ("host:0", "give a host"), ("host:70000", "give a host"),
        (":1", "give a host"), ("::1:1", "give a host"), ("", "empty"),
    ]),
    ("join_attempts", &[("0", "out of range; give 1 to 1000"), ("1001", "out of range"), ("never", "\"forever\""), ("", "empty")]),
    ("state_dir", &[("", "empty")]),
    ("rejoin_after_stop", &[("yes", "give true or false")]),
    ("socket", &[("", "empty")]),
    ("http", &[("8946", "is wrong"), (":8946", "has no IP address"), ("localhost:8946", "is a name")]),
    ("http_cert", &[("", "empty")]),
    ("http_key", &[("", "empty")]),
    ("http_client_ca", &[("", "empty")]),
    ("http_tokens", &[("", "empty")]),
    ("http_role", &[("root", "give read, write or admin")]),
    ("http_hosts", &[("a b", "the name of a host"), ("a:1", "without a port"), ("", "empty")]),
    ("log_level", &[("inof", "is not a log level; give off, error, warn"), ("kinfolk_gosip=info", "give one of"), ("", "is not a log level")]),
    ("log_format", &[("xml", "give text or json")]),
    ("event_log", &[("", "empty")]),
    ("mode", &[("swmi", "give verified, lifeguard or swim")]),
    ("tolerated_pause", &[("5", "has no unit"), ("5x", "is not a duration"), ("721h", "give at most 720h"), ("", "empty")]),
    ("probe_interval", &[("1.5.s", "is not a duration")]),
    ("probe_timeout", &[("500", "has no unit")]),
    ("partition_grace", &[("-1s", "is not a duration")]),
    ("quorum_percent", &[("0", "give 1 to 100"), ("101", "give 1 to 100"), ("half", "is not a whole number")]),
    ("accusers_required", &[("0", "give 1 to 4"), ("5", "give 1 to 4")]),
    ("flap_damping", &[("1", "give true or false")]),
    ("tombstone_ttl", &[("1", "has no unit")]),
    ("pool_max_total", &[("0", "give 1 to 65535"), ("65536", "give 1 to 65535"), ("many", "is not a whole number")]),
    ("pool_idle_timeout", &[("60", "has no unit")]),
    ("coordinates", &[("on", "give true or false")]),
    ("leave_timeout", &[("soon", "is not a duration")]),
];

#[test]
fn wrong_value_is_refused_with_the_valid_form() {
    let command = Settings::augment_args(clap::Command::new("agent"));
    let all = command.get_arguments().map(|argument| argument.get_id().as_str()).filter(|id| *id != "tags");
    assert!(
        all.eq(WRONG.map(|(name, _)| name)),
        "the table has every setting, in the order of the declaration"
    );
    for (name, values) in WRONG {
        for (value, said) in values {
            let flag = format!("--{}={value}", name.replace('_', "-"));
            let by_flag = Line::try_parse_from(["agent", &flag]).err().map(|error| error.to_string());
            // For a choice of words clap makes the message itself.
            let said = if ["mode", "log_format"].contains(&name) { "possible values" } else { said };
            assert!(by_flag.as_deref().unwrap_or_default().contains(said), "{flag}: {by_flag:?}");
        }
        for (value, said) in values {
            let text = match name {
                "join" | "http_hosts" => format!("{name} = ['{value}']"),
                _ => format!("{name} = '{value}'"),
            };
            let in_file = file::parse(&text).unwrap_err();
            assert!(
                in_file.starts_with(&format!("line 1, {name}: ")) && in_file.contains(said),
                "{text}: {in_file}"
            );
        }
    }
}

#[test]
fn tag_given_twice_in_one_source_is_refused() {
    let twice = |flags_given: &[&str], variable| {
        AgentConfig::merge(flags(flags_given), variable, file(NEEDED)).unwrap_err()
    };
    let by_flags = twice(&["--tag", "role=a", "--tag", "role=b"], None);
    assert_eq!(by_flags.status(), Status::Config);
    assert_eq!(
        by_flags.to_string(),
        "--tag: the tag \"role\" is given twice, as \"a\" and as \"b\"; give it once"
    );
    assert!(twice(&[], Some("role=a,role=b")).to_string().starts_with("KINFOLK_TAGS: "));
    assert!(twice(&[], Some(r#"{"role": "a", "role": "b"}"#)).to_string().contains("given twice"));
    assert!(file::parse("[tags]\nrole = 'a'\nrole = 'b'").unwrap_err().contains("duplicate"));
}

#[test]
fn tags_are_merged_by_key_and_flags_win() {
    let file = file(&format!("{NEEDED}[tags]\na = 'file'\nb = 'file'\nc = 'file'"));
    let config = AgentConfig::merge(flags(&["--tag", "a=flag"]), Some("a=env,b=env"), file).unwrap();
    assert_eq!(config.tags, Tags::new([("a", "flag"), ("b", "env"), ("c", "file")]).unwrap());
}

#[test]
fn tag_in_an_object_may_hold_a_comma() {
    let variable = r#"{"note": "a, b", "role": "db"}"#;
    let config = AgentConfig::merge(Settings::default(), Some(variable), file(NEEDED)).unwrap();
    assert_eq!(config.tags, Tags::new([("note", "a, b"), ("role", "db")]).unwrap());
    let wrong = AgentConfig::merge(Settings::default(), Some("{oops"), file(NEEDED)).unwrap_err();
    assert!(wrong.to_string().contains("is not a JSON object of texts"), "{wrong}");
}

#[test]
fn paths_in_the_file_are_relative_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kinfolk.toml");
    std::fs::write(&path, "cert = 'a.pem'\nkey = '/etc/a-key.pem'").unwrap();
    let settings = file::read(&path).unwrap();
    assert_eq!(settings.cert, Some(FilePath(folder.path().join("a.pem"))));
    assert_eq!(settings.key, Some("/etc/a-key.pem".parse().unwrap()));
}
