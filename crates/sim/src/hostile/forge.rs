//! Makes what a liar sends: claims, accusations, and statements. Its own key is valid, so some of
//! them verify and others do not.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::simulated::SimulatedKey;
use kinfolk_core::signed::{Accusation, Charge, Proof, prove};
use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
use kinfolk_swim::Update;

use super::strategy::Incarnations;

/// How far ahead of its subject a liar speaks: within the day that a wrong clock may explain.
const AHEAD: Duration = Duration::from_hours(23);

/// All charges, each as grave as it can be.
pub(super) const CHARGES: [Charge; 3] =
    [Charge::PortClosed, Charge::Lossy, Charge::Silent { for_ms: 60_000 }];

/// One liar, which signs with its own key.
#[derive(Debug, Clone)]
pub(super) struct Forger {
    pub(super) key: SimulatedKey,
    /// Its statement about itself.
    pub(super) me: Arc<NodeStatus>,
}

/// The incarnation about which a liar speaks.
pub(super) fn aimed(known: Incarnation, at: Incarnations) -> Incarnation {
    match at {
        Incarnations::Equal => known,
        Incarnations::Next => known.next(),
        Incarnations::Ahead => known.later_by(AHEAD),
        Incarnations::Max => Incarnation::new(u64::MAX),
    }
}

impl Forger {
    /// An accusation in this liar's own name. It verifies.
    pub(super) fn accuse(&self, subject: &NodeId, incarnation: Incarnation, charge: Charge) -> Accusation {
        self.accuse_as(&self.me.id, subject, incarnation, charge)
    }

    /// An accusation in the name of `accuser`, with a signature of this liar.
    pub(super) fn accuse_as(
        &self,
        accuser: &NodeId,
        subject: &NodeId,
        incarnation: Incarnation,
        charge: Charge,
    ) -> Accusation {
        let (subject, accuser, accuser_incarnation) = (subject.clone(), accuser.clone(), self.me.incarnation);
        let proof = Proof::default();
        let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
        Accusation { proof: prove(&self.key, &unsigned), ..unsigned }
    }

    /// Claims that a member failed or left. Only the one about the present incarnation has a
    /// statement that the member signed.
    pub(super) fn condemn(known: &NodeStatus, at: Incarnations, accuser: &NodeId) -> [Update; 2] {
        let incarnation = aimed(known.incarnation, at);
        [NodeState::Failed, NodeState::Left].map(|state| {
            let status = NodeStatus { incarnation, ..known.with_state(state) };
            Update::Node { status: status.into(), accusers: vec![accuser.clone()] }
        })
    }

    /// A claim that a member is suspect, with invented accusers. Its statement is true.
    pub(super) fn suspect(known: &NodeStatus, others: &[NodeId]) -> Update {
        let invented = (0..4).filter_map(|number| NodeId::new(&format!("invented-{number}")).ok());
        let accusers = others.iter().take(4).cloned().chain(invented).collect();
        Update::Node { status: known.with_state(NodeState::Suspect).into(), accusers }
    }

    /// A forget update with a true statement. It verifies.
    pub(super) fn forget(known: &NodeStatus) -> Update {
        let status = known.with_state(NodeState::Failed).without_description();
        Update::Forget { up_to: status.incarnation, status: status.into() }
    }

    /// False statements of a member, and of one that does not exist. Each has the proof of a true
    /// statement, a proof of this liar, or none.
    pub(super) fn forge(&self, known: &NodeStatus) -> Vec<Update> {
        let addr = NodeAddr::new(([10, 66, 66, 66], 7_000).into());
        let tags = Tags::new([("role", "forged")]).unwrap_or_default();
        let mut lies = Vec::new();
        let invented = NodeId::new("n9999").unwrap_or_else(|_| known.id.clone());
        for id in [&known.id, &invented] {
            for at in [Incarnations::Equal, Incarnations::Next, Incarnations::Ahead] {
                let incarnation = aimed(known.incarnation, at);
                let alive = |addr, tags| NodeStatus::alive(id.clone(), addr, incarnation, tags);
                lies.push(alive(addr, Tags::empty()));
                lies.push(alive(known.addr, tags.clone()));
                lies.push(alive(known.addr, Tags::empty()).with_state(NodeState::Left));
            }
        }
        let proofs = |lie: NodeStatus| {
            [known.proof.clone(), prove(&self.key, &lie), Proof::default()].map(|proof| Update::Node {
                status: NodeStatus { proof, ..lie.clone() }.into(),
                accusers: vec![],
            })
        };
        lies.into_iter().flat_map(proofs).collect()
    }
}
