//! The precedence rule: how two statuses of one member become one. It is the join of a semilattice:
//! idempotent, commutative and associative. So all members end with the same view, in whatever
//! order they receive the claims.
//!
//! Each half of a [`NodeStatus`] has a total order. The join takes the larger of each half:
//!
//! - the statement with its verdict, by `(incarnation, state, addr, description)`: the higher
//!   incarnation wins; at equal incarnation `Alive < Suspect < Failed < Left` (SWIM, section 4.2).
//!   Two statements of one incarnation differ only if the member contradicts itself. Then the rest
//!   decides, so that all members still end with one view;
//! - the description by `(described_at, described_as)`: the younger description wins.

use crate::incarnation::Incarnation;
use crate::node::NodeAddr;
use crate::signed::ContentHash;
use crate::state::NodeState;
use crate::status::NodeStatus;

/// Joins what is `known` of a member with one more `claim` about it. Returns `None` if the claim
/// adds nothing.
///
/// # Panics
/// If the two are about different members. Only a bug can cause this.
pub fn join(known: &NodeStatus, claim: &NodeStatus) -> Option<NodeStatus> {
    assert_eq!(known.id, claim.id, "a claim is joined only with what is known of the same member");
    let (newer_statement, newer_description) = newer(known, claim);
    if !newer_statement && !newer_description {
        return None;
    }
    let mut joined = known.clone();
    if newer_statement {
        // A claim that wins by state alone has the incarnation that is known, so all fields are
        // set.
        joined.state = known.state.after(claim.state, claim.incarnation.cmp(&known.incarnation));
        joined.incarnation = claim.incarnation;
        joined.addr = claim.addr;
        joined.description = claim.description;
        joined.proof = claim.proof.clone();
    }
    if newer_description {
        joined.tags = claim.tags.clone();
        joined.services = claim.services.clone();
        joined.condition = claim.condition.clone();
        joined.extensions = claim.extensions.clone();
        joined.described_at = claim.described_at;
        joined.described_as = claim.described_as;
    }
    Some(joined)
}

/// Whether the statement with its verdict, and whether the description, of a claim outranks what is
/// known of the same member.
pub(crate) fn newer(known: &NodeStatus, claim: &NodeStatus) -> (bool, bool) {
    (statement(claim) > statement(known), description(claim) > description(known))
}

fn statement(status: &NodeStatus) -> (Incarnation, NodeState, NodeAddr, &ContentHash) {
    (status.incarnation, status.state, status.addr, &status.description)
}

fn description(status: &NodeStatus) -> (Incarnation, &ContentHash) {
    (status.described_at, &status.described_as)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{About, Condition, NodeId, Note, Service, ServiceName, Services, Tags};

    fn status(incarnation: u64, state: NodeState) -> NodeStatus {
        described(incarnation, state, incarnation, 1, "")
    }

    fn described(incarnation: u64, state: NodeState, at: u64, port: u16, tag: &str) -> NodeStatus {
        about(incarnation, state, at, port, Tags::new([("tag", tag)]).unwrap().into())
    }

    /// A status whose description is of the incarnation `at`. If that is an older one, the
    /// statement has another description.
    fn about(incarnation: u64, state: NodeState, at: u64, port: u16, about: About) -> NodeStatus {
        let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
        let whole = NodeStatus::described(NodeId::new("n").unwrap(), addr, Incarnation::new(at), about);
        let incarnation = Incarnation::new(incarnation);
        let description =
            if incarnation == whole.incarnation { whole.description } else { About::default().hash() };
        NodeStatus { incarnation, state, description, ..whole }
    }

    fn joined(a: &NodeStatus, b: &NodeStatus) -> NodeStatus {
        join(a, b).unwrap_or_else(|| a.clone())
    }

    /// Few values for each field, so that equal and neighbouring values meet often.
    fn any_status() -> impl Strategy<Value = NodeStatus> {
        let words = (1..3_u16, "[ab]", 0..2_u16, 0..2_u32);
        let any = (0..4_u64, 0..4_usize, 0..4_u64, words);
        any.prop_map(|(incarnation, state, at, (port, tag, service, seconds))| {
            let mut words = About::from(Tags::new([("tag", tag)]).unwrap());
            if service > 0 {
                let name = ServiceName::new("db").unwrap();
                words.services = Services::none().with(name, Service::new(service)).unwrap();
            }
            if seconds > 0 {
                words.condition = Condition::Maintenance { seconds, note: Note::default() };
            }
            about(incarnation, NodeState::ALL[state], at.min(incarnation), port, words)
        })
    }

    proptest! {
        #[test]
        fn joining_is_idempotent(a in any_status(), b in any_status()) {
            prop_assert_eq!(join(&a, &a), None);
            let once = joined(&a, &b);
            prop_assert_eq!(join(&once, &b), None);
            prop_assert_eq!(join(&once, &a), None);
        }

        #[test]
        fn joining_is_commutative(a in any_status(), b in any_status()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        }

        #[test]
        fn joining_is_associative(a in any_status(), b in any_status(), c in any_status()) {
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        }

        #[test]
        fn any_order_of_arrival_gives_the_same_status(claims in prop::collection::vec(any_status(), 1..7), seed: u64) {
            let fold = |claims: &[NodeStatus]| claims.iter().skip(1).fold(claims[0].clone(), |k, c| joined(&k, c));
            let mut shuffled = claims.clone();
            crate::Rng::from_seed(seed).shuffle(&mut shuffled);
            prop_assert_eq!(fold(&claims), fold(&shuffled));
        }

        #[test]
        fn joining_never_lowers_either_half(a in any_status(), b in any_status()) {
            let after = joined(&a, &b);
            prop_assert!(statement(&after) >= statement(&a) && statement(&after) >= statement(&b));
            prop_assert!(description(&after) >= description(&a) && description(&after) >= description(&b));
            prop_assert!(after.described_at <= after.incarnation);
        }
    }

    #[test]
    fn state_transition_precedence() {
        for (i, lower) in NodeState::ALL.into_iter().enumerate() {
            for higher in NodeState::ALL.into_iter().skip(i) {
                let expected = status(1, higher);
                assert_eq!(joined(&status(1, lower), &status(1, higher)), expected, "{lower} then {higher}");
                assert_eq!(joined(&status(1, higher), &status(1, lower)), expected, "{higher} then {lower}");
            }
        }
    }

    #[test]
    fn statement_alone_keeps_the_known_description() {
        let known = described(1, NodeState::Alive, 1, 1, "a");
        let claim = described(2, NodeState::Alive, 2, 2, "b");
        let after = joined(&known, &claim.without_description());
        assert_eq!(
            (after.incarnation, after.tags.get("tag"), after.is_complete()),
            (Incarnation::new(2), Some("a"), false)
        );
        assert_eq!(joined(&after, &claim), claim);
        assert!(claim.is_complete());
    }
}
