//! Tests of agents as processes: they form a group, detect a killed agent, leave on a signal, and
//! respond at their sockets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::TestCluster;
use crate::process::{Agent, command, is_one_line, members, message, run};

fn states(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn both_survivors_declare_a_killed_agent_failed() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let b = cluster.start("b", &["--join", &a.addr, "--tag", "role=db"]);
    let c = cluster.start("c", &["--join", &a.addr]);
    let joined = a.wait_for_event("a member joined", "b");
    assert!(joined["tags"].as_str().unwrap().contains("role"), "{joined}");
    a.wait_for_event("a member joined", "c");
    for (agent, others) in [(&b, ["a", "c"]), (&c, ["a", "b"])] {
        let mut missing = others.to_vec();
        while !missing.is_empty() {
            let line = agent.wait_for("that others joined", |line| message(line) == "a member joined");
            missing.retain(|name| line["node"] != *name);
        }
    }

    c.signal(Signal::KILL);
    for agent in [&a, &b] {
        let failed = agent.wait_for_event("a member failed", "c");
        assert!(failed["cause"].as_str().unwrap().contains("accused by"), "{failed}");
    }
    assert_eq!(members(&cluster.path("b.sock")), states(&[("a", "alive"), ("b", "alive"), ("c", "failed")]));

    let table = run(&["members", "--socket", &cluster.text("a.sock")]);
    table.must_succeed();
    assert!(table.stdout.starts_with("2 members of cluster test, as a sees it\n"), "{}", table.stdout);
    assert!(table.stdout.contains("role=db") && !table.stdout.contains('\x1b'), "{}", table.stdout);
}

#[test]
fn sigterm_makes_an_agent_leave() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let mut b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    b.wait_for("that it joined", |line| message(line) == "joined");
    b.signal(Signal::TERM);
    a.wait_for_event("a member left", "b");
    let (status, stderr) = b.end();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    assert!(!cluster.path("b.sock").exists(), "the socket is removed with its agent");
    assert_eq!(members(&cluster.path("a.sock")), states(&[("a", "alive"), ("b", "left")]));
}

/// Each event is one line of JSON. A second instance appends to the same file.
#[test]
fn event_log_grows_over_two_instances() {
    let cluster = TestCluster::new();
    let log = cluster.text("a.events");
    for _ in 0..2 {
        let mut a = cluster.start("a", &["--event-log", &log]);
        let mut b = cluster.start("b", &["--join", &a.addr]);
        a.wait_for_event("a member joined", "b");
        b.wait_for("that it joined", |line| message(line) == "joined");
        b.signal(Signal::TERM);
        a.wait_for_event("a member left", "b");
        b.end();
        a.signal(Signal::TERM);
        a.end();
    }
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged = lines.iter().map(|line| (line["kind"].as_str().unwrap(), line["node"]["id"].as_str()));
    let logged: Vec<_> =
        logged.filter(|(kind, _)| ["started", "node_joined", "node_left"].contains(kind)).collect();
    let instance =
        [("started", None), ("node_joined", Some("b")), ("node_left", Some("b")), ("node_left", Some("a"))];
    assert_eq!(logged, [instance, instance].concat());
    for line in &lines {
        assert_eq!(line["seen_by"], "a", "{line}");
        assert!(line["unix_ms"].as_u64().unwrap() > 0, "{line}");
    }
    let left = lines.iter().find(|line| line["kind"] == "node_left").unwrap();
    assert_eq!((&left["node"]["id"], &left["node"]["state"]), (&"b".into(), &"left".into()));
}

#[test]
fn unwritable_event_log_is_refused_with_its_path() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let log = cluster.text("no-such-folder/a.events");
    let args = cluster.args("a", &["--event-log", &log]);
    run(&args.iter().map(String::as_str).collect::<Vec<_>>()).must_fail(3, &[&log, "--event-log"]);
}

#[test]
fn second_signal_stops_at_once() {
    let cluster = TestCluster::new();
    let mut a = cluster.start("a", &[]);
    // The process is stopped meanwhile, so both signals reach it at the same moment.
    a.signal(Signal::STOP);
    a.signal(Signal::TERM);
    a.signal(Signal::INT);
    a.signal(Signal::CONT);
    let (status, stderr) = a.end();
    assert_eq!(status.code(), Some(1), "{stderr}");
    is_one_line(&stderr);
    assert!(stderr.contains("second signal"), "{stderr}");
    assert!(!cluster.path("a.sock").exists());
}

#[test]
fn socket_of_a_killed_agent_is_taken_over() {
    let cluster = TestCluster::new();
    let socket = cluster.path("a.sock");
    let mut first = cluster.start("a", &[]);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    first.signal(Signal::KILL);
    first.end();
    assert!(socket.exists(), "a killed agent cannot remove its socket");
    let _second = cluster.start("a", &[]);
    assert_eq!(members(&socket), states(&[("a", "alive")]));
}

#[test]
fn flag_outranks_environment_and_environment_outranks_file() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let text =
        "cert = 'a.pem'\nkey = 'a-key.pem'\nca = 'ca.pem'\nsocket = 'a.sock'\nlisten = '127.0.0.1:0'\n";
    fs::write(cluster.path("a.toml"), text).unwrap();
    let listens = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&["agent", "--config", &cluster.text("a.toml")]);
        command.args(flags).envs(variables.iter().copied());
        let mut agent = Agent::spawn(command);
        let started = agent.wait_for("started", |line| message(line) == "started");
        agent.signal(Signal::TERM);
        agent.end();
        started["addr"].as_str().unwrap().split(':').next().unwrap().to_owned()
    };
    let variable = [("KINFOLK_LISTEN", "127.0.0.2:0")];
    assert_eq!(listens(&[], &[]), "127.0.0.1");
    assert_eq!(listens(&[], &variable), "127.0.0.2");
    assert_eq!(listens(&["--listen", "127.0.0.3:0"], &variable), "127.0.0.3");
}
