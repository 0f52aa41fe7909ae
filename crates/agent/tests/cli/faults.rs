//! What can be wrong when an agent starts: each fault is one line that says what to do, and its own status.

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use kinfolk::{ClusterCa, IdentityError, NodeIdentity};

use crate::process::{Agent, DEADLINE, Run, command, is_one_line, message, run};
use crate::town::Town;

/// Runs an agent of `town` that must not start.
fn agent(town: &Town, node: &str, more: &[&str]) -> Run {
    let args = town.args(node, more);
    run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn town_with(node: &str) -> Town {
    let town = Town::new();
    town.issue(node);
    town
}

#[test]
fn a_wrong_command_line() {
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
fn help_names_every_status_and_goes_to_standard_output() {
    for args in [&["--help"][..], &["demo", "--help"], &["ca", "issue", "--help"], &["agent", "--help"]] {
        let run = run(args);
        run.must_succeed();
        assert!(run.stdout.contains("Exit status:\n  0  all went well"), "{args:?}");
    }
}

#[test]
fn a_setting_that_is_missing_or_cannot_be_used() {
    let town = town_with("a");
    run(&["agent"]).must_fail(3, &["`cert`", "--cert", "KINFOLK_CERT"]);
    run(&["agent", "--config", "/nowhere.toml"]).must_fail(3, &["/nowhere.toml"]);
    let file = town.text("kinfolk.toml");
    fs::write(&file, "cert = 'a.pem'\nlisten_on = 1\n").unwrap();
    run(&["agent", "--config", &file])
        .must_fail(3, &["kinfolk.toml, line 2", "\"listen_on\"", "\"listen\"?"]);
    agent(&town, "a", &["--probe-timeout", "1s"]).must_fail(3, &["probe"]);
    fs::write(&file, "log_level = 'inof'\n").unwrap();
    run(&["agent", "--config", &file]).must_fail(3, &["line 1, log_level", "\"inof\"", "error, warn, info"]);
    agent(&town, "a", &["--tag", "role=a", "--tag", "role=b"]).must_fail(3, &["\"role\"", "twice"]);
}

#[test]
fn a_wrong_variable_is_named() {
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
fn help_and_version_are_found_where_people_look() {
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
fn a_certificate_that_cannot_be_read() {
    let town = town_with("a");
    agent(&town, "b", &[]).must_fail(4, &["certificate", "b.pem", "kinfolk ca issue"]);
    fs::write(town.path("a.pem"), "junk").unwrap();
    agent(&town, "a", &[]).must_fail(4, &["certificate cannot be read", "a.pem"]);
}

#[test]
fn a_certificate_of_another_cluster_or_authority_and_a_key_of_another_node() {
    let (town, twin) = (town_with("a"), town_with("a"));
    town.issue("b");
    agent(&town, "a", &["--ca", &twin.text("ca.pem")])
        .must_fail(4, &["a.town.kinfolk is not signed by this CA"]);
    agent(&town, "a", &["--key", &town.text("b-key.pem")]).must_fail(4, &["mixed up"]);
    let other = tempfile::tempdir().unwrap();
    let dir = other.path().to_str().unwrap();
    run(&["ca", "init", dir, "--cluster", "city"]).must_succeed();
    agent(&town, "a", &["--ca", &format!("{dir}/ca.pem")])
        .must_fail(4, &["is for cluster town, its CA for cluster city"]);
}

#[test]
fn a_certificate_that_has_expired() {
    let town = Town::new();
    let read = |name: &str| fs::read_to_string(town.path(name)).unwrap();
    let ca = ClusterCa::from_pem(&read("ca.pem"), &read("ca-key.pem")).unwrap();
    let short = ca.issue(&"a".parse().unwrap(), Duration::from_secs(1)).unwrap();
    fs::write(town.path("a.pem"), short.cert_pem()).unwrap();
    fs::write(town.path("a-key.pem"), short.key_pem()).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let expired = || NodeIdentity::from_pem(short.cert_pem(), short.key_pem(), short.ca_pem());
    while !matches!(expired(), Err(IdentityError::Expired { .. })) {
        assert!(Instant::now() < deadline, "the certificate does not expire");
        // Sleeps because the certificate is checked against the clock itself, which has no event.
        std::thread::sleep(Duration::from_millis(20));
    }
    agent(&town, "a", &[]).must_fail(4, &["expired at", "kinfolk ca issue"]);
}

#[test]
fn an_address_that_cannot_be_used() {
    let town = town_with("a");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    agent(&town, "a", &["--listen", &addr]).must_fail(5, &[&addr, "in use"]);
    agent(&town, "a", &["--listen", "192.0.2.1:7946"])
        .must_fail(5, &["192.0.2.1:7946", "address of this machine"]);
    assert!(!town.path("a.sock").exists(), "the socket goes with its agent");
    agent(&town, "a", &["--listen", "0.0.0.0:0"]).must_fail(5, &["advertise"]);
}

#[test]
fn a_seed_that_does_not_answer_and_one_that_does_not_exist() {
    let town = town_with("a");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let more = ["--join", &silent, "--join", "name.invalid:1", "--join-attempts", "1"];
    agent(&town, "a", &more).must_fail(6, &[&silent, "no answer", "name.invalid:1", "cannot be resolved"]);
    assert!(!town.path("a.sock").exists(), "the socket goes with its agent");
}

#[test]
fn no_agent_at_the_socket() {
    run(&["members", "--socket", "/nowhere/k.sock"]).must_fail(7, &["/nowhere/k.sock", "kinfolk agent"]);
}

#[test]
fn a_socket_that_another_agent_holds_and_a_folder_that_is_not_there() {
    let town = Town::new();
    let _first = town.start("a", &[]);
    town.issue("b");
    let held = town.text("a.sock");
    agent(&town, "b", &["--socket", &held]).must_fail(7, &[&held, "another agent"]);
    agent(&town, "b", &["--socket", "/nowhere/k.sock"]).must_fail(7, &["/nowhere/k.sock", "--socket"]);
}

#[test]
fn a_node_of_another_authority_is_refused_and_both_logs_say_so() {
    let (town, twin) = (Town::new(), town_with("x"));
    let a = town.start("a", &[]);
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
