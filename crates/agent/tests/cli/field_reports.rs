//! Faults that people have reported of other systems, tried on the program. The list with the
//! sources is `docs/field-reports.md`.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::process::{Agent, command, message, run};
use crate::town::Town;

/// Starts an agent whose seed does not answer.
fn joining(town: &Town, seed: &str) -> Agent {
    town.issue("a");
    let args = town.args("a", &["--join", seed, "--join-attempts", "forever"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let agent = Agent::spawn(command(&args));
    agent.wait_for("that no seed answers", |line| message(line).starts_with("no seed let us join yet"));
    agent
}

/// Source: hashicorp/consul#1534.
#[test]
fn an_agent_answers_while_its_join_is_tried_again() {
    let town = Town::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _agent = joining(&town, &silent.local_addr().unwrap().to_string());
    let members = run(&["members", "--socket", &town.text("a.sock")]);
    members.must_succeed();
    assert!(members.stdout.starts_with("1 member of cluster town"), "{}", members.stdout);
}

/// Source: hashicorp/consul#3121 and hashicorp/serf#70, the signal in the middle of a join.
#[test]
fn sigterm_ends_an_agent_in_the_middle_of_a_join() {
    let town = Town::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut agent = joining(&town, &silent.local_addr().unwrap().to_string());
    agent.signal(Signal::TERM);
    agent.wait_for("its end", |line| message(line) == "stopped");
    agent.end();
}

/// Source: hashicorp/consul#529.
#[test]
fn agents_on_ipv6_advertise_the_address_that_they_listen_on() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let town = Town::new();
    let a = town.start("a", &["--listen", "[::1]:0"]);
    assert!(a.addr.starts_with("[::1]:"), "{}", a.addr);
    let b = town.start("b", &["--listen", "[::1]:0", "--join", &a.addr]);
    b.wait_for("that it joined", |line| message(line) == "joined");
    a.wait_for("the other", |line| {
        message(line) == "a member joined" && line["addr"].as_str() == Some(&b.addr)
    });
}

/// Source: hashicorp/consul#4039. There the two saw each other as alive and could not talk.
#[test]
fn a_seed_of_the_other_address_family_is_refused_with_the_reason() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let town = Town::new();
    let a = town.start("a", &[]);
    town.issue("b");
    let args = town.args("b", &["--listen", "[::1]:0", "--join", &a.addr, "--join-attempts", "1"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run(&args).must_fail(6, &[&a.addr, "[::1]", "of another address family", "listen on one family"]);
}

/// A scanner finds the port. Bytes that are no QUIC change nothing.
#[test]
fn junk_at_the_port_changes_nothing() {
    let town = Town::new();
    let a = town.start("a", &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [0, 1, 20, 1_200, 1_472] {
        for first in [0x00_u8, 0x40, 0x80, 0xc0, 0xff] {
            socket.send_to(&vec![first; len], &a.addr).unwrap();
        }
    }
    let b = town.start("b", &["--join", &a.addr]);
    b.wait_for("that it joined", |line| message(line) == "joined");
}

/// Sources: hashicorp/consul#843, hashicorp/consul#4074. There the two clusters became one.
#[test]
fn a_node_of_another_cluster_at_a_known_address_merges_nothing() {
    let (town, twin) = (Town::new(), Town::new());
    let a = town.start("a", &[]);
    let mut b = town.start("b", &["--join", &a.addr]);
    b.wait_for("that it joined", |line| message(line) == "joined");
    b.signal(Signal::KILL);
    b.end();
    a.wait_for("the crash", |line| message(line) == "a member failed");
    // The same name of the cluster and of the node, and another authority.
    let other = twin.start("b", &["--listen", &b.addr]);
    // It is contacted, because a failed member may be back.
    a.wait_for("the refusal", |line| message(line).contains("another CA"));
    for (town, name) in [(&town, "a"), (&twin, "b")] {
        let members = run(&["members", "--socket", &town.text(&format!("{name}.sock"))]);
        members.must_succeed();
        assert!(members.stdout.starts_with("1 member of"), "{}", members.stdout);
    }
    drop(other);
}
