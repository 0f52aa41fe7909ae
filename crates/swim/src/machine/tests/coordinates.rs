//! A new coordinate of a member spreads like other words about itself, but it is no event, and goes
//! after what is urgent.

use kinfolk_core::{About, Coordinate, NodeState, Tags};

use super::bench::{Bench, claim, describe, described, id, quiet, tagged};
use crate::interface::config::SwimConfig;
use crate::interface::input::Command;
use crate::interface::output::Output;
use crate::wire::message::{Message, Update};

fn located(micros: i32) -> About {
    About::default().with_coordinate(Some(at(micros)))
}

fn at(micros: i32) -> Coordinate {
    Coordinate::new([micros, 0, 0, 0], 100, 200).unwrap()
}

fn modes() -> [SwimConfig; 3] {
    [SwimConfig::verified(), SwimConfig::lifeguard(), SwimConfig::swim()]
}

fn states(about: About, revision: u64) -> Command {
    Command::Describe { about, revision }
}

#[test]
fn new_coordinate_of_a_member_is_known_and_no_event() {
    for config in modes() {
        let mut bench = Bench::new(quiet(&config), &["a", "b"]);
        for (incarnation, micros) in [(2, 5_000), (3, 9_000)] {
            let status = described("a", incarnation, NodeState::Alive, located(micros));
            let update = Update::Node { status: status.into(), accusers: Vec::new() };
            let text = bench.gossip("b", vec![update]);
            assert!(!text.contains("event"), "{text}");
            let known = bench.machine.registry().get(&id("a")).unwrap();
            assert_eq!((bench.known("a").0, known.coordinate()), (incarnation, Some(at(micros))));
            assert!(bench.machine.queue().is_waiting(&id("a")), "it is passed on");
        }
    }
}

#[test]
fn own_coordinate_is_stated_with_a_higher_incarnation() {
    for config in modes() {
        let mut bench = Bench::new(quiet(&config), &["a"]);
        let text = bench.command(states(located(5_000), 1));
        assert!(text.contains("done Described(Ok(()))") && !text.contains("event"), "{text}");
        let mine = bench.machine.registry().get(&id("me")).unwrap();
        assert_eq!((bench.known("me").0, mine.coordinate()), (11, Some(at(5_000))));
        // A false claim is refuted with the coordinate.
        bench.gossip("a", vec![claim("me", 12, NodeState::Alive, &[])]);
        let mine = bench.machine.registry().get(&id("me")).unwrap();
        assert_eq!((bench.known("me").0, mine.coordinate()), (13, Some(at(5_000))));
    }
}

/// The names of the members that the updates of the next message are about, in order.
fn sent(bench: &mut Bench) -> Vec<String> {
    bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    let Some(Output::Reply { message: Message::Ack { gossip, .. }, .. }) = bench.outputs.first() else {
        panic!("a ping is answered: {:?}", bench.outputs)
    };
    gossip.iter().map(|update| update.item().signer().to_string()).collect()
}

#[test]
fn own_coordinate_goes_after_what_is_urgent() {
    let failed =
        || Update::Node { status: tagged("b", 1, NodeState::Failed, &[]).into(), accusers: vec![id("c")] };
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b", "c", "d"]);
    bench.command(states(located(5_000), 1));
    bench.gossip("a", vec![claim("d", 1, NodeState::Suspect, &["c"]), failed()]);
    assert_eq!(sent(&mut bench), ["b", "d", "me"]);
    // Tags are urgent: programs choose members by them.
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b", "c", "d"]);
    bench.command(describe(Tags::new([("k", "v")]).unwrap()));
    bench.gossip("a", vec![claim("e", 1, NodeState::Alive, &[])]);
    assert_eq!(sent(&mut bench), ["me", "e"]);
}
