//! Tests of agents that cannot start: each failure has one line that says what to do, and an exit
//! status of its own.

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use kinfolk::{ClusterCa, IdentityError, NodeIdentity};

use crate::cluster::TestCluster;
use crate::process::{Agent, DEADLINE, Run, command, is_one_line, message, run};

/// Runs an agent of `cluster` that cannot start.
fn agent(cluster: &TestCluster, node: &str, more: &[&str]) -> Run {
    let args = cluster.args(node, more);
    run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn cluster_with(node: &str) -> TestCluster {
    let cluster = TestCluster::new();
    cluster.issue(node);
    cluster
}

#[test]
fn wrong_command_line_is_refused() {
    run(&[]).must_fail(2, &["kinfolk demo"]);
    run(&["demo", "--node", "5"]).must_fail(2, &["'--node'", "did you mean --nodes?"]);
    run(&["agent", "--listen", "here"]).must_fail(2, &["'here'", "--listen", "is a name"]);
    run(&["agent", "--probe-interval", "2"]).must_fail(2, &["500ms, 2s, 5m or 1h"]);
    run(&["agent", "--tag", "role"]).must_fail(2, &["key=value"]);
    run(&["agent", "--log-level", "inof"]).must_fail(3, &["\"inof\"", "error, warn, info"]);
    run(&["agent", "--log-level", "kinfolk_gosip=info"])
        .must_fail(3, &["\"kinfolk_gosip\"", "kinfolk_gossip"]);
    run(&["agent", "--join", "no-port"]).must_fail(2, &["no-port", "a host and a port"]);
}

#[test]
fn help_on_standard_output_names_every_status() {
    for args in [&["--help"][..], &["demo", "--help"], &["ca", "issue", "--help"], &["agent", "--help"]] {
        let run = run(args);
        run.must_succeed();
        assert!(run.stdout.contains("Exit status:\n  0  success"), "{args:?}");
    }
}

#[test]
fn missing_or_unusable_setting_is_refused() {
    let cluster = cluster_with("a");
    run(&["agent"]).must_fail(3, &["`cert`", "--cert", "KINFOLK_CERT"]);
    run(&["agent", "--config", "/nowhere.toml"]).must_fail(3, &["/nowhere.toml"]);
    let file = cluster.text("kinfolk.toml");
    fs::write(&file, "cert = 'a.pem'\nlisten_on = 1\n").unwrap();
    run(&["agent", "--config", &file])
        .must_fail(3, &["kinfolk.toml, line 2", "\"listen_on\"", "\"listen\"?"]);
    agent(&cluster, "a", &["--probe-timeout", "1s"]).must_fail(3, &["probe"]);
    fs::write(&file, "log_level = 'inof'\n").unwrap();
    run(&["agent", "--config", &file]).must_fail(3, &["line 1, log_level", "\"inof\"", "error, warn, info"]);
    agent(&cluster, "a", &["--tag", "role=a", "--tag", "role=b"]).must_fail(3, &["\"role\"", "twice"]);
}

#[test]
fn wrong_environment_variable_is_named() {
    let of = |name: &str, value: &str| {
        let output = command(&["agent"]).env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, text) = of("KINFOLK_LISTEN", "10.0.0.1");
    assert_eq!(status, Some(2), "{text}");
    assert!(text.starts_with("kinfolk: KINFOLK_LISTEN: ") && text.contains("has no port"), "{text}");
    let (status, text) = of("KINFOLK_TAGS", "role=a,role=b");
    assert_eq!(status, Some(3), "{text}");
    assert!(text.starts_with("kinfolk: KINFOLK_TAGS: ") && text.contains("twice"), "{text}");
}

#[test]
fn help_and_version_have_the_usual_flags() {
    for args in [&["help"][..], &["help", "agent"], &["-h"], &["help", "ca", "issue"]] {
        let run = run(args);
        run.must_succeed();
        assert!(run.stdout.contains("Usage: kinfolk"), "{args:?}: {}", run.stdout);
    }
    for args in [&["-V"][..], &["--version"], &["agent", "-V"], &["members", "--version"]] {
        let run = run(args);
        run.must_succeed();
        assert!(run.stdout.contains(env!("CARGO_PKG_VERSION")), "{args:?}: {}", run.stdout);
    }
}

#[test]
fn unreadable_certificate_is_refused() {
    let cluster = cluster_with("a");
    agent(&cluster, "b", &[]).must_fail(4, &["certificate", "b.pem", "kinfolk ca issue"]);
    fs::write(cluster.path("a.pem"), "junk").unwrap();
    agent(&cluster, "a", &[]).must_fail(4, &["cannot read the certificate", "a.pem"]);
}

#[test]
fn certificate_of_another_ca_cluster_or_key_is_refused() {
    let (cluster, twin) = (cluster_with("a"), cluster_with("a"));
    cluster.issue("b");
    agent(&cluster, "a", &["--ca", &twin.text("ca.pem")])
        .must_fail(4, &["a.test.kinfolk is not signed by this CA"]);
    agent(&cluster, "a", &["--key", &cluster.text("b-key.pem")]).must_fail(4, &["mixed up"]);
    let other = tempfile::tempdir().unwrap();
    let dir = other.path().to_str().unwrap();
    run(&["ca", "init", dir, "--cluster", "other"]).must_succeed();
    agent(&cluster, "a", &["--ca", &format!("{dir}/ca.pem")])
        .must_fail(4, &["is for cluster test, its CA for cluster other"]);
}

#[test]
fn expired_certificate_is_refused() {
    let cluster = TestCluster::new();
    let read = |name: &str| fs::read_to_string(cluster.path(name)).unwrap();
    let ca = ClusterCa::from_pem(&read("ca.pem"), &read("ca-key.pem")).unwrap();
    let short = ca.issue(&"a".parse().unwrap(), Duration::from_secs(1)).unwrap();
    fs::write(cluster.path("a.pem"), short.cert_pem()).unwrap();
    fs::write(cluster.path("a-key.pem"), short.key_pem()).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let expired = || NodeIdentity::from_pem(short.cert_pem(), short.key_pem(), short.ca_pem());
    while !matches!(expired(), Err(IdentityError::Expired { .. })) {
        assert!(Instant::now() < deadline, "the certificate does not expire");
        // Sleeps because the certificate is checked against the clock, which has no event.
        std::thread::sleep(Duration::from_millis(20));
    }
    agent(&cluster, "a", &[]).must_fail(4, &["expired at", "kinfolk ca issue"]);
}

#[test]
fn unusable_address_is_refused() {
    let cluster = cluster_with("a");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    agent(&cluster, "a", &["--listen", &addr]).must_fail(5, &[&addr, "in use"]);
    agent(&cluster, "a", &["--listen", "192.0.2.1:7946"])
        .must_fail(5, &["192.0.2.1:7946", "address of this machine"]);
    assert!(!cluster.path("a.sock").exists(), "the socket is removed with its agent");
    agent(&cluster, "a", &["--listen", "0.0.0.0:0"]).must_fail(5, &["advertise"]);
}

#[test]
fn join_without_a_reachable_seed_fails() {
    let cluster = cluster_with("a");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let more = ["--join", &silent, "--join", "name.invalid:1", "--join-attempts", "1"];
    agent(&cluster, "a", &more).must_fail(6, &[&silent, "no answer", "name.invalid:1", "cannot be resolved"]);
    assert!(!cluster.path("a.sock").exists(), "the socket is removed with its agent");
}

#[test]
fn command_without_an_agent_fails() {
    run(&["members", "--socket", "/nowhere/k.sock"]).must_fail(7, &["/nowhere/k.sock", "kinfolk agent"]);
}

#[test]
fn socket_in_use_or_without_folder_is_refused() {
    let cluster = TestCluster::new();
    let _first = cluster.start("a", &[]);
    cluster.issue("b");
    let held = cluster.text("a.sock");
    agent(&cluster, "b", &["--socket", &held]).must_fail(7, &[&held, "another agent"]);
    agent(&cluster, "b", &["--socket", "/nowhere/k.sock"]).must_fail(7, &["/nowhere/k.sock", "--socket"]);
}

#[test]
fn node_of_another_ca_is_refused_in_both_logs() {
    let (cluster, twin) = (TestCluster::new(), cluster_with("x"));
    let a = cluster.start("a", &[]);
    let args = twin.args("x", &["--join", &a.addr, "--join-attempts", "1"]);
    let mut stranger = Agent::spawn(command(&args.iter().map(String::as_str).collect::<Vec<_>>()));
    let here = a.wait_for("that a peer was refused", |line| message(line).contains("refused"));
    let there = stranger.wait_for("that it was refused", |line| message(line).contains("refused"));
    assert!(message(&here).contains("certificate"), "{here}");
    assert!(message(&there).contains("certificate"), "{there}");
    let (status, stderr) = stranger.end();
    assert_eq!(status.code(), Some(6), "{stderr}");
    is_one_line(&stderr);
    assert!(stderr.contains("certificate"), "{stderr}");
}
