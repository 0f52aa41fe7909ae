//! Tests of an agent whose certificate files change while it runs.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::TestCluster;
use crate::process::{Agent, message, run};

const LOADED: &str = "loaded the certificate, the key and the authorities again";
const REFUSED: &str = "cannot use the changed certificate files; the former ones stay in use";

fn wait(agent: &Agent, said: &str) -> Value {
    agent.wait_for(said, |line| message(line) == said)
}

/// Nobody sends a signal.
#[test]
fn changed_file_is_read_again() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    run(&["ca", "renew", &cluster.text("."), "a"]).must_succeed();
    let loaded = wait(&a, LOADED);
    let shown = run(&["ca", "show", &cluster.text("a.pem")]);
    let fingerprint = loaded["certificate"].as_str().unwrap();
    assert!(shown.stdout.contains(fingerprint), "{fingerprint} is not in {}", shown.stdout);
    // A member that joins afterwards meets a certificate of before and one of after.
    let c = cluster.start("c", &["--join", &a.addr]);
    c.wait_for_event("a member joined", "a");
    b.wait_for_event("a member joined", "c");
}

#[test]
fn sighup_reads_the_files_and_says_what_came_of_it() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    a.signal(Signal::HUP);
    assert_eq!(wait(&a, "reloaded the configuration and its files")["applied"], "");
    run(&["ca", "renew", &cluster.text("."), "a"]).must_succeed();
    a.signal(Signal::HUP);
    wait(&a, LOADED);
    assert_eq!(wait(&a, "reloaded the configuration and its files")["applied"], "cert");
}

#[test]
fn authority_is_replaced_without_a_restart() {
    let (cluster, new) = (TestCluster::new(), TestCluster::new());
    let a = cluster.start("a", &[]);
    let b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    let read = |path| fs::read_to_string(path).unwrap();
    let both = read(cluster.path("ca.pem")) + &read(new.path("ca.pem"));
    let load = |wanted: &dyn Fn(&Value) -> bool| {
        for agent in [&a, &b] {
            agent.signal(Signal::HUP);
            agent.wait_for("that it has the new files", |line| message(line) == LOADED && wanted(line));
        }
    };
    // One file serves both agents, as in the recipe of `docs/operations.md`.
    fs::write(cluster.path("ca.pem"), both).unwrap();
    load(&|line| line["authorities"] == 2);
    for node in ["a", "b"] {
        new.issue(node);
        for file in [format!("{node}-key.pem"), format!("{node}.pem")] {
            fs::rename(new.path(&file), cluster.path(&file)).unwrap();
        }
    }
    load(&|line| line["authorities"] == 2);
    fs::copy(new.path("ca.pem"), cluster.path("ca.pem")).unwrap();
    load(&|line| line["authorities"] == 1);
    // A member of the new authority joins.
    new.issue("c");
    let args = new.args("c", &["--join", &a.addr]);
    let c = Agent::start(&args.iter().map(String::as_str).collect::<Vec<_>>());
    c.wait_for_event("a member joined", "a");
    b.wait_for_event("a member joined", "c");
}

#[test]
fn bad_file_changes_nothing_and_is_named() {
    let (cluster, other) = (TestCluster::new(), TestCluster::new());
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().to_str().unwrap();
    run(&["ca", "init", elsewhere, "--cluster", "elsewhere"]).must_succeed();
    run(&["ca", "issue", elsewhere, "a"]).must_succeed();
    cluster.issue("b");
    other.issue("a");
    let a = cluster.start("a", &[]);
    let read = |path: &std::path::Path| fs::read_to_string(path).unwrap();
    let [cert, key, ca] = ["a.pem", "a-key.pem", "ca.pem"].map(|name| cluster.path(name));
    let good = [read(&cert), read(&key), read(&ca)];
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let of = |name: &str| read(&cluster.path(name));
    let from = |name: &str| read(&folder.path().join(name));
    let authority = kinfolk::ClusterCa::from_pem(&good[2], &of("ca-key.pem")).unwrap();
    let expired = authority.issue(&"a".parse().unwrap(), std::time::Duration::ZERO).unwrap();
    let expired = [expired.cert_pem().to_owned(), expired.key_pem().to_owned(), good[2].clone()];
    let cases = [
        (
            "half of the certificate",
            [half(&good[0]), good[1].clone(), good[2].clone()],
            "a.pem",
            "cannot read the certificate",
        ),
        (
            "half of the key",
            [good[0].clone(), half(&good[1]), good[2].clone()],
            "a-key.pem",
            "cannot read the private key",
        ),
        ("no authority", [good[0].clone(), good[1].clone(), String::new()], "ca.pem", "no CERTIFICATE block"),
        (
            "the key of another",
            [good[0].clone(), of("b-key.pem"), good[2].clone()],
            "a-key.pem",
            "does not belong",
        ),
        (
            "another member",
            [of("b.pem"), of("b-key.pem"), good[2].clone()],
            "a.pem",
            "this node is a.test.kinfolk",
        ),
        (
            "another authority",
            [read(&other.path("a.pem")), read(&other.path("a-key.pem")), good[2].clone()],
            "a.pem",
            "is not signed by this CA",
        ),
        ("an expired one", expired, "a.pem", "expired at"),
        (
            "another cluster",
            [from("a.pem"), from("a-key.pem"), from("ca.pem")],
            "a.pem",
            "a.elsewhere.kinfolk",
        ),
    ];
    for (case, files, named, cause) in cases {
        for (path, text) in [&cert, &key, &ca].into_iter().zip(&files) {
            fs::write(path, text).unwrap();
        }
        // Without a signal: the agent finds the change itself.
        let refused = a.wait_for(case, |line| {
            message(line) == REFUSED && line["cause"].as_str().unwrap().contains(cause)
        });
        assert!(refused["cause"].as_str().unwrap().contains(named), "{case}: {refused}");
    }
    // The member still has the former identity: others of the cluster join through it.
    let b = cluster.args("b", &["--join", &a.addr]);
    for (path, text) in [&cert, &key, &ca].into_iter().zip(&good) {
        fs::write(path, text).unwrap();
    }
    let b = Agent::start(&b.iter().map(String::as_str).collect::<Vec<_>>());
    b.wait_for_event("a member joined", "a");
}

/// The statement goes to one member as a file in its state directory. Two of three have one.
#[test]
fn revoked_agent_is_shut_out_also_after_a_restart() {
    let cluster = TestCluster::new();
    let state = |node: &str| cluster.text(&format!("{node}-state"));
    let mut a = cluster.start("a", &["--state-dir", &state("a")]);
    let b = cluster.start("b", &["--join", &a.addr, "--state-dir", &state("b")]);
    let c = cluster.start("c", &["--join", &a.addr, "--log-level", "info"]);
    for (agent, other) in [(&a, "b"), (&a, "c"), (&b, "c")] {
        agent.wait_for_event("a member joined", other);
    }
    let made = run(&["ca", "revoke", &cluster.text("."), "c"]);
    made.must_succeed();
    assert!(
        made.stdout.contains("c.revoked.pem") && made.stdout.contains("all certificates"),
        "{}",
        made.stdout
    );
    fs::create_dir_all(cluster.path("b-state/revoked")).unwrap();
    fs::copy(cluster.path("c.revoked.pem"), cluster.path("b-state/revoked/c.pem")).unwrap();
    for agent in [&a, &b] {
        agent.wait_for_event("certificates of a member are revoked; it is shut out", "c");
    }
    c.wait_for("its own revocation", |line| {
        let text = message(line);
        text.starts_with("the certificate of this member is revoked")
            || text.contains("certificate is revoked")
    });
    // A restarted member reads it from its own directory.
    a.signal(Signal::TERM);
    a.end();
    let a = cluster.start("a", &["--state-dir", &state("a")]);
    a.wait_for_event("certificates of a member are revoked; it is shut out", "c");
    let names: Vec<String> =
        crate::process::members(&cluster.path("a.sock")).into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&"c".to_owned()), "{names:?}");
    // A renewed certificate brings the node back.
    run(&["ca", "renew", &cluster.text("."), "c"]).must_succeed();
    b.wait_for_event("a member joined", "c");
}
