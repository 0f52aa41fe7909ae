//! Tests of the program with faults that were reported for other systems. The list with the sources
//! is `docs/field-reports.md`.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::cluster::TestCluster;
use crate::process::{Agent, command, message, run};

/// Starts an agent whose seed does not answer.
fn joining(cluster: &TestCluster, seed: &str) -> Agent {
    cluster.issue("a");
    let args = cluster.args("a", &["--join", seed, "--join-attempts", "forever"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let agent = Agent::spawn(command(&args));
    agent.wait_for("that no seed answers", |line| message(line).starts_with("no seed let us join yet"));
    agent
}

/// Source: hashicorp/consul#1534.
#[test]
fn agent_responds_while_its_join_is_retried() {
    let cluster = TestCluster::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _agent = joining(&cluster, &silent.local_addr().unwrap().to_string());
    let members = run(&["members", "--socket", &cluster.text("a.sock")]);
    members.must_succeed();
    assert!(members.stdout.starts_with("1 member of cluster test"), "{}", members.stdout);
}

/// Source: hashicorp/consul#3121 and hashicorp/serf#70, the signal in the middle of a join.
#[test]
fn sigterm_ends_an_agent_during_its_join() {
    let cluster = TestCluster::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut agent = joining(&cluster, &silent.local_addr().unwrap().to_string());
    agent.signal(Signal::TERM);
    agent.wait_for("its end", |line| message(line) == "stopped");
    agent.end();
}

/// Source: hashicorp/consul#529.
#[test]
fn ipv6_agent_advertises_its_listen_address() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let cluster = TestCluster::new();
    let a = cluster.start("a", &["--listen", "[::1]:0"]);
    assert!(a.addr.starts_with("[::1]:"), "{}", a.addr);
    let b = cluster.start("b", &["--listen", "[::1]:0", "--join", &a.addr]);
    b.wait_for("that it joined", |line| message(line) == "joined");
    a.wait_for("the other", |line| {
        message(line) == "a member joined" && line["addr"].as_str() == Some(&b.addr)
    });
}

/// Source: hashicorp/consul#4039. There the two nodes saw each other as alive and could not
/// exchange messages.
#[test]
fn seed_of_the_other_address_family_is_refused() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    cluster.issue("b");
    let args = cluster.args("b", &["--listen", "[::1]:0", "--join", &a.addr, "--join-attempts", "1"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run(&args).must_fail(6, &[&a.addr, "[::1]", "of another address family", "listen on one family"]);
}

/// A port scanner sends bytes that are not QUIC.
#[test]
fn junk_datagrams_change_nothing() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [0, 1, 20, 1_200, 1_472] {
        for first in [0x00_u8, 0x40, 0x80, 0xc0, 0xff] {
            socket.send_to(&vec![first; len], &a.addr).unwrap();
        }
    }
    let b = cluster.start("b", &["--join", &a.addr]);
    b.wait_for("that it joined", |line| message(line) == "joined");
}

/// Sources: hashicorp/consul#843, hashicorp/consul#4074. There the two clusters became one.
#[test]
fn node_of_another_cluster_at_a_known_address_is_refused() {
    let (cluster, twin) = (TestCluster::new(), TestCluster::new());
    let a = cluster.start("a", &[]);
    let mut b = cluster.start("b", &["--join", &a.addr]);
    b.wait_for("that it joined", |line| message(line) == "joined");
    b.signal(Signal::KILL);
    b.end();
    a.wait_for("the crash", |line| message(line) == "a member failed");
    // The same names of the cluster and of the node, but another CA.
    let other = twin.start("b", &["--listen", &b.addr]);
    // Agent `a` contacts that address, because the failed member may be back.
    a.wait_for("the refusal", |line| message(line).contains("another CA"));
    for (cluster, name) in [(&cluster, "a"), (&twin, "b")] {
        let members = run(&["members", "--socket", &cluster.text(&format!("{name}.sock"))]);
        members.must_succeed();
        assert!(members.stdout.starts_with("1 member of"), "{}", members.stdout);
    }
    drop(other);
}
