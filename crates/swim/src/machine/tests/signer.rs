//! Tests of the replacement of this member's key.

use std::sync::Arc;

use kinfolk_core::ClusterId;
use kinfolk_core::signed::Sign;
use kinfolk_core::signed::simulated::SimulatedKeys;

use super::bench::{Bench, id, quiet, signer};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, Input, Signer};

fn new_key() -> Arc<dyn Sign> {
    Arc::new(SimulatedKeys::new(ClusterId::new("test").unwrap(), 2).key_of(id("me")))
}

fn stated(bench: &Bench) -> (u64, bool) {
    let mine = bench.machine.registry().get(bench.machine.id()).unwrap();
    (mine.incarnation.get(), mine.proof.certificate == new_key().certificate())
}

#[test]
fn new_key_signs_a_new_statement_at_once() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    assert_eq!(stated(&bench), (10, false));
    assert_eq!(bench.input(Input::Signer(Signer(new_key()))), "", "it is no event");
    assert_eq!(stated(&bench), (11, true));
    assert_eq!(bench.machine.queue().len(), 1, "the statement waits to be sent");
}

#[test]
fn same_key_states_nothing() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    bench.input(Input::Signer(Signer(signer("me"))));
    assert_eq!((stated(&bench), bench.machine.queue().len()), ((10, false), 0));
}

#[test]
fn member_that_left_states_nothing() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    bench.command(Command::Leave);
    let before = stated(&bench);
    bench.input(Input::Signer(Signer(new_key())));
    assert_eq!(stated(&bench), before);
}
