//! Tests of revocations: how they spread, and what an eviction does.

use std::time::Duration;

use kinfolk_core::signed::{Covered, Proof, Revocation, prove};
use kinfolk_core::{Incarnation, NodeState};

use super::bench::{Bench, claim, id, keys, quiet, signer};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, Input};
use crate::interface::output::Output;
use crate::wire::codec;
use crate::wire::message::{Message, Update};

const CLOCK: Duration = Duration::from_secs(1_790_000_000);

fn revocation(name: &str) -> Revocation {
    let covered = Covered::IssuedUntil(CLOCK.as_secs());
    let unsigned =
        Revocation { node: id(name), covered, until: CLOCK.as_secs() + 60, proof: Proof::default() };
    Revocation { proof: prove(&keys().authority(), &unsigned), ..unsigned }
}

fn bench(config: &SwimConfig, others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(config), others);
    bench.input(Input::WallClock { since_epoch: CLOCK });
    bench
}

fn gossip(of: &[Update]) -> Message {
    Message::Gossip { gossip: of.to_vec() }
}

fn is_known(bench: &Bench, name: &str) -> bool {
    bench.machine.registry().get(&id(name)).is_some()
}

#[test]
fn new_revocation_is_reported_and_passed_on_once() {
    for config in [SwimConfig::default(), SwimConfig::lifeguard()] {
        let mut bench = bench(&config, &["a", "b"]);
        let update = Update::Revocation(revocation("b"));
        bench.message("a", gossip(std::slice::from_ref(&update)));
        let reported = bench.outputs.contains(&Output::Revoked(revocation("b")));
        assert!(reported, "{:?}", bench.outputs);
        assert_eq!(bench.machine.stats().revocations_kept, 1);
        bench.message("a", gossip(&[update]));
        assert!(!bench.outputs.contains(&Output::Revoked(revocation("b"))));
        assert_eq!(bench.machine.stats().revocations, 1);
    }
}

#[test]
fn command_has_the_outcome() {
    let mut bench = bench(&SwimConfig::default(), &["a"]);
    assert!(bench.command(Command::Revoke(revocation("b"))).contains("done Revoked(New)"));
    assert!(bench.command(Command::Revoke(revocation("b"))).contains("done Revoked(Known)"));
    let ended = Revocation { until: CLOCK.as_secs() - 1, ..revocation("a") };
    assert!(bench.command(Command::Revoke(ended)).contains("done Revoked(Ended)"));
    assert_eq!(bench.machine.stats().revocations_kept, 1);
}

#[test]
fn evicted_member_leaves_the_view_without_a_tombstone() {
    let mut bench = bench(&SwimConfig::default(), &["a", "b"]);
    let other = Input::Evict { id: id("b"), certificate: keys_of("a") };
    bench.input(other);
    assert!(is_known(&bench, "b"), "its statement has another certificate");
    let told = bench.input(Input::Evict { id: id("b"), certificate: keys_of("b") });
    assert!(told.contains("event failed b") && told.contains("reaped"), "{told}");
    assert!(!is_known(&bench, "b") && is_known(&bench, "a"));
    assert_eq!(bench.machine.stats().evicted, 1);
    // A second time it changes nothing.
    assert_eq!(bench.input(Input::Evict { id: id("b"), certificate: keys_of("b") }), "");
}

fn keys_of(name: &str) -> kinfolk_core::signed::Fingerprint {
    signer(name).certificate()
}

#[test]
fn member_does_not_evict_itself() {
    let mut bench = bench(&SwimConfig::default(), &["a"]);
    let before = bench.machine.registry().get(&id("me")).unwrap();
    bench.input(Input::Evict { id: id("me"), certificate: keys_of("me") });
    assert_eq!(bench.machine.registry().get(&id("me")).unwrap(), before);
}

#[test]
fn suspect_and_tombstone_are_evicted_too() {
    let mut bench = bench(&SwimConfig::lifeguard(), &["a", "b", "c"]);
    bench.message(
        "a",
        gossip(&[claim("b", 10, NodeState::Suspect, &["a"]), claim("c", 10, NodeState::Left, &[])]),
    );
    for name in ["b", "c"] {
        assert!(is_known(&bench, name));
        bench.input(Input::Evict { id: id(name), certificate: keys_of(name) });
        assert!(!is_known(&bench, name), "{name}");
    }
}

#[test]
fn joining_member_receives_all_revocations() {
    let mut bench = bench(&SwimConfig::default(), &["a"]);
    for number in 0..50 {
        bench.command(Command::Revoke(revocation(&format!("x{number}"))));
    }
    let me = super::bench::status("n", CLOCK.as_millis().try_into().unwrap(), NodeState::Alive);
    let clock = Incarnation::new(CLOCK.as_millis().try_into().unwrap());
    bench.message("n", Message::Join { clock, me: me.into() });
    let mut sent = 0;
    for output in &bench.outputs {
        if let Output::Send { to, message: Message::Gossip { gossip }, .. } = output
            && *to == id("n")
        {
            assert!(
                codec::encoded_len(&Message::Gossip { gossip: gossip.clone() }) <= codec::GOSSIP_BYTES_MAX
            );
            sent += gossip.iter().filter(|update| matches!(update, Update::Revocation(_))).count();
        }
    }
    assert_eq!(sent, 50);
}

/// An earlier version skips the update, and reads the rest of the message.
#[test]
fn revocation_on_the_wire_is_a_number_and_bytes() {
    let update = Update::Revocation(revocation("b"));
    let bytes = codec::encode(&gossip(&[update.clone(), claim("a", 1, NodeState::Alive, &[])])).unwrap();
    // The kind of the message, two updates, the kind of the first one, and its length.
    assert_eq!(&bytes[..3], [4, 2, 4]);
    let (len, rest): (u32, &[u8]) = postcard::take_from_bytes(&bytes[3..]).unwrap();
    assert_eq!(postcard::from_bytes::<Revocation>(&rest[..len as usize]).unwrap(), revocation("b"));
    assert_eq!(codec::decode(&bytes).unwrap().peek().gossip().unwrap().len(), 2);
}
