//! What verifies was signed by its subject, and every changed bit is refused.

use proptest::prelude::*;

use super::simulated::SimulatedKeys;
use super::{Accusation, Charge, Claims, Proof, Refusal, Unverified, prove, verify_item};
use crate::{
    About, ClusterId, Condition, Coordinate, Extensions, Incarnation, NodeAddr, NodeId, NodeState,
    NodeStatus, Tags,
};

fn keys() -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new("c").unwrap(), 7)
}

fn any_statement() -> impl Strategy<Value = NodeStatus> {
    let addr = prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| (ip, port).into()),
        (any::<[u16; 8]>(), any::<u16>()).prop_map(|(ip, port)| (ip, port).into()),
    ];
    let later = (any::<u64>(), prop::collection::vec(any::<u8>(), 0..9), prop::option::of(-9..9_i32));
    let about = ("[a-z]{0,9}", 0..9_u32, later).prop_map(|(tag, seconds, (features, unknown, at))| {
        let coordinate = at.map(|at| Coordinate::new([at; 4], 7, 100).unwrap());
        About {
            tags: Tags::new([("tag", tag)]).unwrap(),
            condition: Condition::Maintenance { seconds, note: crate::Note::default() },
            extensions: Extensions::new(features, &unknown).unwrap().with_coordinate(coordinate),
            ..About::default()
        }
    });
    ("[a-z]{1,9}", addr, 1..u64::MAX, about, any::<bool>()).prop_map(|(name, addr, number, about, leaves)| {
        let id = NodeId::new(&name).unwrap();
        let state = if leaves { NodeState::Left } else { NodeState::Alive };
        let status = NodeStatus::described(id.clone(), NodeAddr::new(addr), Incarnation::new(number), about);
        status.with_state(state).signed(&keys().key_of(id))
    })
}

fn any_accusation() -> impl Strategy<Value = Accusation> {
    let charge = prop_oneof![
        any::<u32>().prop_map(|for_ms| Charge::Silent { for_ms }),
        Just(Charge::PortClosed),
        Just(Charge::Lossy),
    ];
    ("[a-z]{1,9}", "[a-z]{1,9}", any::<[u64; 2]>(), charge).prop_map(
        |(subject, accuser, incarnations, charge)| {
            let [incarnation, accuser_incarnation] = incarnations.map(Incarnation::new);
            let (subject, accuser) = (NodeId::new(&subject).unwrap(), NodeId::new(&accuser).unwrap());
            let proof = Proof::default();
            let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
            signed_by(&unsigned.accuser.clone(), unsigned)
        },
    )
}

fn signed_by(signer: &NodeId, accusation: Accusation) -> Accusation {
    Accusation { proof: prove(&keys().key_of(signer.clone()), &accusation), ..accusation }
}

impl Claims for NodeStatus {
    fn items(&self) -> Vec<&dyn super::Attested> {
        vec![self]
    }
}

proptest! {
    #[test]
    fn statement_that_verifies_was_signed_by_its_subject(
        statement in any_statement(), signer in "[a-z]{1,9}",
    ) {
        prop_assert_eq!(verify_item(&keys(), &statement), Ok(()));
        let signer = NodeId::new(&signer).unwrap();
        let forged = statement.clone().signed(&keys().key_of(signer.clone()));
        prop_assert_eq!(verify_item(&keys(), &forged).is_ok(), signer == statement.id);
        let elsewhere = SimulatedKeys::new(ClusterId::new("d").unwrap(), 7);
        prop_assert!(verify_item(&elsewhere, &statement).is_err(), "another cluster");
    }

    #[test]
    fn accusation_verifies_exactly_if_its_accuser_signed(
        accusation in any_accusation(), signer in "[a-z]{1,9}",
    ) {
        prop_assert_eq!(verify_item(&keys(), &accusation), Ok(()));
        let signer = NodeId::new(&signer).unwrap();
        for signer in [&signer, &accusation.subject] {
            let forged = signed_by(signer, accusation.clone());
            prop_assert_eq!(verify_item(&keys(), &forged).is_ok(), *signer == accusation.accuser);
        }
        let elsewhere = SimulatedKeys::new(ClusterId::new("d").unwrap(), 7);
        prop_assert!(verify_item(&elsewhere, &accusation).is_err(), "another cluster");
    }

    #[test]
    fn every_changed_bit_of_an_accusation_is_refused(accusation in any_accusation()) {
        let bytes = postcard::to_stdvec(&accusation).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok((read, [])) = postcard::take_from_bytes::<Accusation>(&changed) else { continue };
            // Some bits have no meaning.
            let is_same = read == accusation;
            prop_assert_eq!(verify_item(&keys(), &read).is_ok(), is_same, "bit {}", bit);
        }
    }

    #[test]
    fn every_changed_bit_of_a_statement_is_refused(statement in any_statement()) {
        let bytes = postcard::to_stdvec(&statement).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok((read, [])) = postcard::take_from_bytes::<NodeStatus>(&changed) else { continue };
            // The verdict is not the member's own word. Some bits have no meaning.
            let same = NodeStatus { state: statement.state, ..read.clone() } == statement;
            let is_verdict = same && (read.state == NodeState::Left) == (statement.state == NodeState::Left);
            prop_assert_eq!(Unverified::new(read).verify(&keys()).is_ok(), is_verdict, "bit {}", bit);
        }
    }
}

#[test]
fn suspicion_keeps_the_proof_and_a_leave_does_not() {
    let id = NodeId::new("a").unwrap();
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    let alive = NodeStatus::alive(id.clone(), addr, Incarnation::new(1), Tags::empty());
    let alive = alive.signed(&keys().key_of(id.clone()));
    for state in [NodeState::Suspect, NodeState::Failed] {
        assert_eq!(verify_item(&keys(), &alive.with_state(state)), Ok(()));
    }
    assert_eq!(verify_item(&keys(), &alive.without_description()), Ok(()));
    let left = alive.with_state(NodeState::Left);
    assert_eq!(verify_item(&keys(), &left), Err(Refusal::BadSignature { signer: id }));
}

#[test]
fn unsigned_statement_is_refused() {
    let id = NodeId::new("a").unwrap();
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    let unsigned = NodeStatus::alive(id, addr, Incarnation::new(1), Tags::empty());
    let (refusal, back) = Unverified::new(unsigned.clone()).verify(&keys()).unwrap_err();
    assert!(matches!(refusal, Refusal::NoCertificate { .. }));
    assert!(refusal.is_innocent());
    assert_eq!(back.peek(), &unsigned);
}
