//! Port checks: a node finds out whether a process listens at a peer's port. The host answers only
//! if it is up, no process listens, and both directions are open. In all other cases nothing
//! answers.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};
use kinfolk_swim::CheckId;

use super::{Arrival, Input, NodeIndex, SimEvent, World};
use crate::network::Fate;

/// How long a check waits for the host's answer.
const CHECK_LASTS: Duration = Duration::from_millis(500);

/// A port check on its way to the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct PortCheck {
    requester: NodeIndex,
    instance: u32,
    check: CheckId,
    host: NodeIndex,
    given_up: Instant,
}

impl World {
    pub(super) fn check_port(&mut self, requester: NodeIndex, check: CheckId, host: &NodeId) {
        let (host, instance) = (self.find(host), self.instance(requester));
        self.trace.line(self.now, Some(requester), "check", format_args!("the port of {host}"));
        let clock = &self.nodes[requester.0].clock;
        let given_up = clock.when(clock.shows(self.now) + CHECK_LASTS);
        let port_check = PortCheck { requester, instance, check, host, given_up };
        let blocked = self.truth.node(requester).blocked;
        match self.network.fate(requester, host, false) {
            Fate::Arrives(delay) if !blocked => {
                self.schedule(self.now + delay, SimEvent::PortCheck(port_check));
            }
            _ => self.end_check(port_check, None),
        }
    }

    /// A port check arrives at its host, which answers if no process listens.
    pub(super) fn port_check_arrives(&mut self, port_check: PortCheck) {
        let way_back = self.network.fate(port_check.host, port_check.requester, false);
        let truth = self.truth.node(port_check.host);
        let answers = !truth.running && !truth.silent && !self.network.filters_icmp();
        match way_back {
            Fate::Arrives(delay) if answers => self.end_check(port_check, Some(self.now + delay)),
            _ => self.end_check(port_check, None),
        }
    }

    /// Ends a check with the host's answer if that arrives in time, otherwise without.
    fn end_check(&mut self, port_check: PortCheck, answer: Option<Instant>) {
        let answer = answer.filter(|at| *at < port_check.given_up);
        let PortCheck { requester, instance, check, .. } = port_check;
        let arrival = Arrival::PortChecked { instance, check, closed: answer.is_some() };
        self.schedule(answer.unwrap_or(port_check.given_up), SimEvent::Arrives(requester, arrival));
    }

    pub(super) fn port_checked(&mut self, node: NodeIndex, check: CheckId, closed: bool) {
        // A blocked node has not received the host's answer.
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

    /// The result of A's check of B's port with these faults, and after how many milliseconds.
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
        let ends: Vec<_> = lines.filter_map(|line| line.split_once("port     check 7: ")).collect();
        let [(head, word)] = ends[..] else { panic!("a check has one end, not {}", ends.len()) };
        let seconds: f64 = head.split_whitespace().next().unwrap().parse().unwrap();
        (word.to_owned(), Duration::from_secs_f64(seconds).as_millis().try_into().unwrap())
    }

    fn no_word() -> (String, u64) {
        ("no word".to_owned(), 500)
    }

    #[test]
    fn crashed_process_has_a_closed_port() {
        let (word, ms) = word(&[Fault::Crash(B)], false);
        assert!(word == "closed" && ms < 100, "{word} after {ms} ms");
    }

    #[test]
    fn only_a_crash_closes_the_port() {
        let left_alone: &[Fault] = &[];
        let back = [Fault::Crash(B), Fault::Restart { node: B, via: A }];
        let silent_after_all = [Fault::Silence(B)];
        for faults in [left_alone, &[Fault::Pause(B)], &[Fault::Block(B)], &silent_after_all, &back] {
            assert_eq!(word(faults, false), no_word(), "{faults:?}");
        }
        assert_eq!(word(&[Fault::Crash(B)], true), no_word(), "the network drops ICMP errors");
    }

    #[test]
    fn port_check_needs_both_directions() {
        let ways = [(A, B), (B, A)].map(|(from, to)| Fault::Cut { from, to });
        let lossy = [Fault::Ingress { node: A, loss: 1.0 }, Fault::Block(A)];
        for trouble in ways.into_iter().chain(lossy) {
            assert_eq!(word(&[Fault::Crash(B), trouble.clone()], false), no_word(), "{trouble}");
        }
    }
}
