//! Verifies the signatures in what arrives, as the real driver does before its machine sees a
//! message.

use kinfolk_core::signed::{Unverified, Verified};
use kinfolk_swim::{Input, Message};

use super::{NodeIndex, World};

impl World {
    /// Verifies a message that arrived at `to`. `None`, and counted, if a statement in it does not
    /// verify: then no part of the message is used.
    // Every copy is verified. To find out that the receiver knows a statement costs as much as the
    // hash that stands for its signature here.
    pub(super) fn verify(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        message: Unverified<Message>,
    ) -> Option<Verified<Message>> {
        match message.verify(&self.keys) {
            Ok(message) => Some(message),
            Err((refusal, _)) => {
                self.nodes[to.0].traffic.messages_refused += 1;
                self.trace.line(self.now, Some(to), "refuse", format_args!("of {from}  {refusal}"));
                self.feed(to, Input::Forged { from: self.id(from) });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::signed::Sign as _;
    use kinfolk_core::{Instant, NodeState};
    use kinfolk_swim::{SwimConfig, Update};

    use super::*;
    use crate::checks::Checks;
    use crate::faults::{Fault, Step};
    use crate::scenario::Scenario;
    use crate::trace::Trace;

    const A: NodeIndex = NodeIndex(0);
    const B: NodeIndex = NodeIndex(1);

    /// B says in each of its answers that A left. Both kinds of worlds must refuse that.
    fn lies_about_a(mut world: World) -> World {
        let known = world.registry(B).and_then(|view| view.get(&A.id())).unwrap();
        let lie = Update::Node { status: known.with_state(NodeState::Left).into(), accusers: Vec::new() };
        world.tamper(B, move |message| match message {
            Message::Ack { stranger, differs, shift_ms, late_ms, .. } => {
                Message::Ack { stranger, differs, shift_ms, late_ms, gossip: vec![lie.clone()] }
            }
            other => other,
        });
        world.run_until(Instant::ORIGIN + Duration::from_secs(3));
        world
    }

    #[test]
    fn request_with_a_forged_answer_ends_as_refused() {
        let scenario = Scenario::bare(2, SwimConfig::lifeguard());
        let world = lies_about_a(World::preformed(&scenario, 1, Trace::on(), Checks::default()));
        let lines: Vec<_> = world.trace().text().lines().filter(|line| line.contains("  n0000  ")).collect();
        let refused = lines.iter().filter(|line| line.contains("  refuse   of n0001  ")).count();
        assert!(refused > 0);
        assert_eq!(world.traffic(A).messages_refused, refused as u64);
        assert!(lines.iter().all(|line| !line.contains("silent")), "no request waits for its deadline");
        assert_eq!(world.traffic(B).messages_refused, 0);
    }

    #[test]
    fn light_world_refuses_what_a_full_world_refuses() {
        let scenario = Scenario::bare(2, SwimConfig::lifeguard());
        let full = lies_about_a(World::preformed(&scenario, 1, Trace::off(), Checks::default()));
        let light = lies_about_a(World::light_preformed(&scenario, 1));
        for node in [A, B] {
            assert_eq!(light.traffic(node), full.traffic(node), "{node}");
        }
    }

    #[test]
    fn restarted_node_has_the_same_certificate() {
        let mut world = World::light_preformed(&Scenario::bare(3, SwimConfig::verified()), 1);
        let proof = |world: &World| world.registry(A)?.get(&B.id()).map(|known| known.proof.clone());
        let first = proof(&world).unwrap();
        world.act(&Step::Fault(Fault::Crash(B)));
        world.run_until(Instant::ORIGIN + Duration::from_secs(1));
        world.act(&Step::Fault(Fault::Restart { node: B, via: A }));
        world.run_until(Instant::ORIGIN + Duration::from_secs(10));
        let second = proof(&world).unwrap();
        assert_ne!(first.signature, second.signature, "it is another statement");
        assert_eq!([first.certificate, second.certificate], [world.key(B).certificate(); 2]);
        assert_eq!(world.traffic_of_all().messages_refused, 0);
    }
}
