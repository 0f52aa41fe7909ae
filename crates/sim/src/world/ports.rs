//! Checks of ports: somebody asks a host whether anybody listens there. Only a host that is up, where nobody does, says so,
//! and only if the way there and back is open; everything else is silence.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};
use kinfolk_swim::CheckId;

use super::{Arrival, Happening, Input, NodeIndex, World};
use crate::network::Fate;

/// For how long a check waits for the host's word.
const CHECK_LASTS: Duration = Duration::from_millis(500);

/// A check on its way to the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knock {
    asker: NodeIndex,
    life: u32,
    check: CheckId,
    host: NodeIndex,
    given_up: Instant,
}

impl World {
    pub(super) fn check_port(&mut self, asker: NodeIndex, check: CheckId, host: &NodeId) {
        let (host, life) = (self.find(host), self.life(asker));
        self.trace.line(self.now, Some(asker), "check", format_args!("the port of {host}"));
        let clock = &self.nodes[asker.0].clock;
        let given_up = clock.when(clock.shows(self.now) + CHECK_LASTS);
        let knock = Knock { asker, life, check, host, given_up };
        let blocked = self.truth.node(asker).blocked;
        match self.network.fate(asker, host, false) {
            Fate::Arrives(delay) if !blocked => {
                self.schedule(self.now + delay, Happening::Knocks(knock));
            }
            _ => self.end_check(knock, None),
        }
    }

    /// A check comes to its host, which answers if nobody listens.
    pub(super) fn knocks(&mut self, knock: Knock) {
        let way_back = self.network.fate(knock.host, knock.asker, false);
        let truth = self.truth.node(knock.host);
        let answers = !truth.running && !truth.silent && !self.network.filters_icmp();
        match way_back {
            Fate::Arrives(delay) if answers => self.end_check(knock, Some(self.now + delay)),
            _ => self.end_check(knock, None),
        }
    }

    /// A check ends: with the host's word, if it comes in time, or without.
    fn end_check(&mut self, knock: Knock, word: Option<Instant>) {
        let word = word.filter(|at| *at < knock.given_up);
        let Knock { asker, life, check, .. } = knock;
        let arrival = Arrival::PortChecked { life, check, closed: word.is_some() };
        self.schedule(word.unwrap_or(knock.given_up), Happening::Arrives(asker, arrival));
    }

    pub(super) fn port_checked(&mut self, node: NodeIndex, check: CheckId, closed: bool) {
        // Who can receive nothing has not heard the host.
        let closed = closed && !self.truth.node(node).blocked;
        let word = if closed { "closed" } else { "no word" };
        self.trace.line(self.now, Some(node), "port", format_args!("check {}: {word}", check.0));
        self.feed(node, Input::PortChecked { check, closed });
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_swim::SwimConfig;

    use super::*;
    use crate::checks::Checks;
    use crate::faults::{Fault, Step};
    use crate::scenario::Scenario;
    use crate::trace::Trace;

    const A: NodeIndex = NodeIndex(0);
    const B: NodeIndex = NodeIndex(1);

    /// What A hears after it has checked B's port, once these faults are there, and how many milliseconds later.
    fn word(faults: &[Fault], icmp_filtered: bool) -> (String, u64) {
        let mut scenario = Scenario::bare(2, SwimConfig::lifeguard());
        scenario.network.icmp_filtered = icmp_filtered;
        let mut world = World::preformed(&scenario, 1, Trace::on(), Checks::default());
        for fault in faults {
            world.act(&Step::Fault(fault.clone()));
        }
        world.check_port(A, CheckId(7), &B.id());
        world.run_until(Instant::ORIGIN + Duration::from_secs(1));
        let lines = world.trace().text().lines();
        let told: Vec<_> = lines.filter_map(|line| line.split_once("port     check 7: ")).collect();
        let [(head, word)] = told[..] else { panic!("a check has one end, not {}", told.len()) };
        let seconds: f64 = head.split_whitespace().next().unwrap().parse().unwrap();
        (word.to_owned(), Duration::from_secs_f64(seconds).as_millis().try_into().unwrap())
    }

    fn no_word() -> (String, u64) {
        ("no word".to_owned(), 500)
    }

    #[test]
    fn the_host_of_a_crashed_process_says_so_after_a_round_trip() {
        let (word, ms) = word(&[Fault::Crash(B)], false);
        assert!(word == "closed" && ms < 100, "{word} after {ms} ms");
    }

    #[test]
    fn nothing_else_is_a_closed_port() {
        let left_alone: &[Fault] = &[];
        let back = [Fault::Crash(B), Fault::Restart { node: B, via: A }];
        let silent_after_all = [Fault::Silence(B)];
        for faults in [left_alone, &[Fault::Pause(B)], &[Fault::Block(B)], &silent_after_all, &back] {
            assert_eq!(word(faults, false), no_word(), "{faults:?}");
        }
        assert_eq!(word(&[Fault::Crash(B)], true), no_word(), "the word is filtered");
    }

    #[test]
    fn the_word_of_the_host_needs_the_way_there_and_back_and_an_asker_that_hears_it() {
        let ways = [(A, B), (B, A)].map(|(from, to)| Fault::Cut { from, to });
        let lossy = [Fault::Ingress { node: A, loss: 1.0 }, Fault::Block(A)];
        for trouble in ways.into_iter().chain(lossy) {
            assert_eq!(word(&[Fault::Crash(B), trouble.clone()], false), no_word(), "{trouble}");
        }
    }
}
