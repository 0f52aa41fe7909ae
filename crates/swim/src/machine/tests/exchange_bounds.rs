//! Bounds of joins and of exchanges of views: how many run, how many pages one takes, and which
//! exchange replaces another.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, NodeState};

use super::bench::{Bench, claim, id, quiet, status};
use crate::interface::config::SwimConfig;
use crate::interface::input::Command;
use crate::interface::output::Output;
use crate::purpose::{JOINS_MAX, Purpose};
use crate::wire::buckets::Buckets;
use crate::wire::codec;
use crate::wire::message::{Message, Reception, Update};

const SECOND: Duration = Duration::from_secs(1);

fn lifeguard(others: &[&str]) -> Bench {
    Bench::new(quiet(&SwimConfig::lifeguard()), others)
}

fn last_request(bench: &Bench) -> u64 {
    bench.machine.cx.next_request().0 - 1
}

fn join(bench: &mut Bench) -> String {
    let addr = status("seed", 1, NodeState::Alive).addr;
    bench.command(Command::Join { id: id("seed"), addr })
}

/// The seed welcomes the last join.
fn welcome(bench: &mut Bench) -> String {
    let clock = Incarnation::new(10);
    bench.reply(last_request(bench), "seed", Message::Welcome { clock, reception: Reception::Seen })
}

/// The seed answers the last request with a page that ends with this name.
fn page(bench: &mut Bench, last: &str, more: bool) -> String {
    // The page is full of old names, which this member does not take in.
    let nodes = vec![Arc::new(status(last, 1, NodeState::Failed))];
    bench.reply(last_request(bench), "seed", Message::Page { nodes, more })
}

#[test]
fn exchange_ends_after_4096_pages() {
    let mut bench = lifeguard(&[]);
    join(&mut bench);
    welcome(&mut bench);
    let name = |number| format!("n{number:05}");
    let pages = (1..5_000).find(|number| page(&mut bench, &name(*number), true).contains("done Joined"));
    assert_eq!(pages, Some(4_096));
}

#[test]
fn repeated_last_name_ends_the_exchange() {
    let mut bench = lifeguard(&[]);
    join(&mut bench);
    welcome(&mut bench);
    assert!(page(&mut bench, "b", true).starts_with("Sync"));
    assert!(page(&mut bench, "b", true).contains("done Joined"));
}

#[test]
fn joins_count_until_they_end_and_other_requests_never() {
    let mut bench = lifeguard(&["a"]);
    let lacking = |number| {
        let status = status(&format!("x{number}"), 3, NodeState::Alive).without_description();
        Update::Node { status: status.into(), accusers: Vec::new() }
    };
    let asked = bench.gossip("a", (0..2 * JOINS_MAX).map(lacking).collect());
    assert_eq!(asked.matches("Describe(").count(), 2 * JOINS_MAX);
    for _ in 0..JOINS_MAX {
        assert!(join(&mut bench).starts_with("Join"));
        assert!(welcome(&mut bench).starts_with("Sync"));
    }
    assert!(join(&mut bench).contains("JoinFailed"));
    assert!(page(&mut bench, "b", false).contains("done Joined"));
    assert!(join(&mut bench).starts_with("Join"), "one join has ended");
}

#[test]
fn join_is_followed_by_another_exchange_soon() {
    let probe_interval = Duration::from_hours(1_000);
    let config = SwimConfig { probe_interval, ..quiet(&SwimConfig::lifeguard()) };
    let after = |drawn| {
        let mut bench = Bench::new(config.clone(), &[]);
        for _ in 0..drawn {
            bench.machine.cx.rng.unit();
        }
        join(&mut bench);
        welcome(&mut bench);
        page(&mut bench, "b", false);
        bench.machine.next_timeout().unwrap().since(bench.now)
    };
    let all: Vec<_> = (0..40).map(after).collect();
    assert!(all.iter().all(|after| (SECOND / 2..SECOND * 3 / 2).contains(after)), "{all:?}");
    assert!(all.iter().any(|after| *after < SECOND * 7 / 10), "{all:?}");
    assert!(all.iter().any(|after| *after > SECOND * 13 / 10), "{all:?}");
}

#[test]
fn periodic_round_replaces_the_last_but_no_join() {
    for config in [SwimConfig::lifeguard(), SwimConfig::verified()] {
        let probe_interval = Duration::from_hours(1_000);
        let config = SwimConfig { sync_interval: SECOND * 10, probe_interval, ..quiet(&config) };
        let mut bench = Bench::new(config, &["a", "b"]);
        join(&mut bench);
        welcome(&mut bench);
        let join = last_request(&bench);
        bench.pass(SECOND * 60);
        let periodic = |purpose: &Purpose| match purpose {
            Purpose::DigestPing | Purpose::Compare => true,
            Purpose::Sync(session) => session.command.is_none(),
            _ => false,
        };
        assert_eq!(bench.machine.owners.requests.count(periodic), 1);
        let last = bench.reply(join, "seed", Message::Page { nodes: Vec::new(), more: false });
        assert!(last.contains("done Joined"), "{last}");
    }
}

#[test]
fn page_of_a_left_member_has_its_statement() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.gossip("a", vec![claim("b", 1, NodeState::Failed, &["a"])]);
    bench.command(Command::Leave);
    bench.message("a", Message::Sync { nodes: Vec::new(), after: None, want: true, only: Buckets::ALL });
    let Some(Output::Reply { message: Message::Page { nodes, .. }, .. }) = bench.outputs.last() else {
        panic!("a page is the answer")
    };
    let told: Vec<_> = nodes.iter().map(|node| (node.id.as_str(), node.state)).collect();
    assert_eq!(told, [("a", NodeState::Alive), ("me", NodeState::Left)]);
}

/// A forget update holds a signed statement, so 20 of them with long names are too large for one
/// message.
#[test]
fn missed_forget_updates_fit_into_their_messages() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.gossip("a", vec![claim("b", 1, NodeState::Failed, &["a"])]);
    for number in 0..60 {
        let status = status(&format!("{number:0>63}"), 1_000_000, NodeState::Failed).without_description();
        let update = Update::Forget { up_to: status.incarnation, status: Arc::new(status) };
        bench.gossip("a", vec![update]);
    }
    bench.gossip("a", vec![claim("b", 2, NodeState::Alive, &[])]);
    let sent = bench.outputs.iter().filter_map(|output| match output {
        Output::Send { message: Message::Gossip { gossip }, to, .. } if *to == id("b") => {
            Some(gossip.clone())
        }
        _ => None,
    });
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent.iter().map(Vec::len).sum::<usize>(), 60);
    for gossip in sent {
        codec::encode(&Message::Gossip { gossip }).expect("it fits");
    }
}

/// So a caller that wants many round trips cannot start many exchanges of views.
#[test]
fn one_comparison_runs_at_a_time() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b"]);
    let compare = |bench: &mut Bench, name: &str| bench.command(Command::Compare(id(name)));
    assert!(compare(&mut bench, "me").contains("done Comparing(false)"), "this member itself");
    assert!(compare(&mut bench, "stranger").contains("done Comparing(false)"), "not known");
    let first = compare(&mut bench, "a");
    assert!(first.contains("-> a") && first.contains("done Comparing(true)"), "{first}");
    assert!(compare(&mut bench, "b").contains("done Comparing(false)"), "the first one runs");
    bench.ack(last_request(&bench), "a");
    assert!(compare(&mut bench, "b").contains("done Comparing(true)"), "the first one has ended");
}
