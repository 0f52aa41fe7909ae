//! Which peers a member contacts, so that no new connection is needed: neighbours for anti-entropy
//! rounds, guests for updates. Also when updates are not sent because the views agree.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::delivery::Traffic;
use crate::interface::input::NoReply;
use crate::interface::output::Output;
use crate::wire::buckets::Buckets;
use crate::wire::message::Message;

const SYNC: Duration = Duration::from_secs(30);

/// 40 members that start an anti-entropy round each 30 s.
fn group() -> (Bench, Vec<String>) {
    let names: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let config = SwimConfig { sync_interval: SYNC, ..quiet(&SwimConfig::verified()) };
    let others: Vec<&str> = names.iter().map(String::as_str).collect();
    (Bench::new(config, &others), names)
}

/// Runs for `time`. A peer answers a probe if `answers` says so. Returns when each anti-entropy
/// round started, and with which peer.
fn compared_in(bench: &mut Bench, time: Duration, answers: impl Fn(&str) -> bool) -> Vec<(Duration, String)> {
    let (begun, mut compared) = (bench.now, Vec::new());
    while bench.now.since(begun) < time {
        bench.tick();
        for output in bench.outputs.clone() {
            let Output::Send { to, request: Some(request), delivery, .. } = output else { continue };
            if delivery.traffic == Traffic::AntiEntropy {
                compared.push((bench.now.since(begun), to.to_string()));
            }
            if answers(to.as_str()) {
                bench.ack(request.0, to.as_str());
            } else {
                bench.no_reply(request.0, NoReply::Late);
            }
        }
    }
    compared
}

/// Each interval differs, so that members do not start rounds in step.
#[test]
fn nine_in_ten_rounds_go_to_neighbours() {
    let (mut bench, _) = group();
    let compared = compared_in(&mut bench, SYNC * 1_000, |_| true);
    let near = bench.machine.owners.detection.answering_subjects();
    let far = compared.iter().filter(|(_, name)| !near.contains(&id(name))).count();
    // Four of forty go to a random member, of which one in ten is a neighbour.
    assert!((60..120).contains(&far), "{far} of {}", compared.len());
    assert!((950..1_050).contains(&compared.len()));
    let gaps: Vec<_> = compared.windows(2).map(|two| two[1].0.saturating_sub(two[0].0)).collect();
    assert!(gaps.iter().all(|gap| (SYNC / 2..SYNC * 3 / 2).contains(gap)));
    assert!(gaps.iter().any(|gap| *gap < SYNC * 6 / 10) && gaps.iter().any(|gap| *gap > SYNC * 14 / 10));
}

#[test]
fn member_with_silent_neighbours_asks_random_members() {
    let (mut bench, _) = group();
    let near = {
        compared_in(&mut bench, SYNC, |_| true);
        bench.machine.owners.detection.answering_subjects()
    };
    assert_eq!(near.len(), 4);
    for (answering, expected) in [(2, 2), (1, 0), (0, 0)] {
        let (mut bench, _) = group();
        let answers = |name: &str| !near.contains(&id(name)) || near[..answering].contains(&id(name));
        let compared = compared_in(&mut bench, SYNC * 40, answers);
        let found = bench.machine.owners.detection.answering_subjects();
        assert_eq!(found.len(), expected, "{answering} of 4 answer");
        let far = compared.iter().filter(|(_, name)| !near.contains(&id(name))).count();
        assert_eq!(far > 30, expected == 0, "{answering} of 4 answer: {far} of {}", compared.len());
    }
}

/// A member that is not a neighbour exchanges views with this member.
fn visit(bench: &mut Bench, name: &str) {
    let sync = Message::Sync { nodes: Vec::new(), after: None, want: true, only: Buckets::ALL };
    bench.message(name, sync);
}

#[test]
fn guests_receive_updates_for_three_seconds() {
    let (mut bench, names) = group();
    let neighbours = bench.machine.owners.detection.neighbours();
    let guest = names[2..].iter().find(|name| !neighbours.contains(&id(name))).unwrap();
    let tells_guest = |bench: &mut Bench, name: &str| {
        let told = bench.gossip(&names[1], vec![claim(name, 1, NodeState::Alive, &[])]);
        (told + &bench.pass(Duration::from_millis(5))).contains(&format!("] -> {guest}\n"))
    };
    assert!(!tells_guest(&mut bench, "x0"));
    visit(&mut bench, guest);
    assert!(tells_guest(&mut bench, "x1"));
    bench.pass(Duration::from_secs(3));
    assert!(!tells_guest(&mut bench, "x2"));
}

#[test]
fn piggybacked_update_is_still_flooded() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b", "c"]);
    bench.gossip("a", vec![claim("x", 1, NodeState::Alive, &[])]);
    let answer = bench.message("b", Message::Ping { digest: 1, gossip: Vec::new() });
    assert_eq!(answer, "Ack[x i1 alive] -> reply 7\n");
    let flooded = bench.pass(Duration::from_millis(5));
    assert_eq!(flooded.matches("Gossip[x i1 alive]").count(), 3, "b, c and x itself: {flooded}");
}

/// A ping with the digest of this member's own view.
fn agreeing(bench: &Bench) -> Message {
    Message::Ping { digest: bench.machine.cx.members.digest(), gossip: Vec::new() }
}

#[test]
fn answer_to_agreeing_peer_counts_claims_as_sent() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b", "c"]);
    bench.gossip("a", vec![claim("x", 1, NodeState::Alive, &[])]);
    bench.pass(Duration::from_millis(5));
    let waiting = |bench: &mut Bench| bench.machine.queue().len();
    assert_eq!(waiting(&mut bench), 1);
    let differs = Message::Ping { digest: 1, gossip: Vec::new() };
    assert_eq!(bench.message("b", differs), "Ack[x i1 alive] -> reply 7\n");
    // In a group of five an update is sent nine times. The flood and the first answer already
    // count.
    for _ in 0..4 {
        assert_eq!(waiting(&mut bench), 1);
        let ping = agreeing(&bench);
        assert_eq!(bench.message("b", ping), "Ack[] -> reply 7\n");
    }
    assert_eq!(waiting(&mut bench), 0);
}

#[test]
fn probe_of_agreeing_peer_carries_no_claims() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b"]);
    let pings = |bench: &mut Bench, differs: bool| -> Vec<usize> {
        let mut carried = Vec::new();
        while carried.len() < 4 {
            bench.tick();
            for output in bench.outputs.clone() {
                let Output::Send {
                    to, request: Some(request), message: Message::Ping { gossip, .. }, ..
                } = output
                else {
                    continue;
                };
                carried.push(gossip.len());
                let mut ack = Message::ack(Vec::new());
                if let Message::Ack { differs: told, .. } = &mut ack {
                    *told = differs;
                }
                bench.reply(request.0, to.as_str(), ack);
            }
        }
        carried
    };
    assert_eq!(pings(&mut bench, false), [0, 0, 0, 0]);
    bench.gossip("a", vec![claim("x", 1, NodeState::Alive, &[])]);
    assert_eq!(pings(&mut bench, true), [1, 1, 1, 1], "the view differs, as far as this member knows");
    bench.gossip("a", vec![claim("x", 2, NodeState::Alive, &[])]);
    let carried = pings(&mut bench, false);
    assert!(carried[0] > 0 && carried[3] == 0, "once each: {carried:?}");
}

#[test]
fn rounds_with_random_members_are_counted() {
    let (mut bench, _) = group();
    let compared = compared_in(&mut bench, SYNC * 10, |_| false);
    assert!(compared.len() > 5);
    assert_eq!(bench.machine.stats().anti_entropy_random, compared.len() as u64);
}
