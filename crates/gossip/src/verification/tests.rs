//! What verifies was signed by its subject, and every changed bit is refused: with real keys.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kinfolk_core::signed::{
    Claims as _, Covered, Proof, Refusal, Revocation, Serial, Sign, Unverified, Verify, is_same, prove,
    verify_item,
};
use kinfolk_core::{ClusterId, Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
use kinfolk_swim::{Message, Update, codec};
use kinfolk_transport::{ClusterCa, NodeIdentity, RevokedCertificates, Revoker};
use proptest::prelude::*;

use super::{Certificates, Verifier};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The members of a cluster, with their certificates.
static MEMBERS: LazyLock<Vec<NodeIdentity>> = LazyLock::new(|| {
    let ca = ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap();
    NAMES.map(|name| ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(1)).unwrap()).to_vec()
});

fn verifier() -> impl Verify {
    Verifier::new(&MEMBERS[0], Certificates::of(MEMBERS.iter().map(NodeIdentity::certificate)))
}

fn any_statement() -> impl Strategy<Value = NodeStatus> {
    (0..NAMES.len(), any::<u16>(), 1..u64::MAX, "[a-z]{0,9}", any::<bool>()).prop_map(
        |(at, port, number, tag, leaves)| {
            let addr = NodeAddr::new(([10, 0, 0, 1], port).into());
            let tags = Tags::new([("tag", tag)]).unwrap();
            let alive = NodeStatus::alive(MEMBERS[at].id().clone(), addr, Incarnation::new(number), tags);
            let state = if leaves { NodeState::Left } else { NodeState::Alive };
            alive.with_state(state).signed(&MEMBERS[at].signer())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn statement_that_verifies_was_signed_by_its_subject(
        statement in any_statement(), signer in 0..NAMES.len(),
    ) {
        prop_assert!(verify_item(&verifier(), &statement).is_ok());
        let forged = statement.clone().signed(&MEMBERS[signer].signer());
        let is_own = *MEMBERS[signer].id() == statement.id;
        prop_assert_eq!(verify_item(&verifier(), &forged).is_ok(), is_own);
        // The own certificate, and the signature of another.
        let mut forged = forged;
        forged.proof.certificate = statement.proof.certificate;
        prop_assert_eq!(verify_item(&verifier(), &forged).is_ok(), is_own);
    }

    #[test]
    fn changed_bits_of_a_signed_message_are_refused(
        statement in any_statement(), bits in prop::collection::vec(any::<prop::sample::Index>(), 64),
    ) {
        let status = Arc::new(statement);
        let gossip = vec![Update::Node { status: Arc::clone(&status), accusers: Vec::new() }];
        let bytes = codec::encode(&Message::Gossip { gossip }).unwrap();
        for bit in bits {
            let bit = bit.index(bytes.len() * 8);
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(message) = codec::decode(&changed) else { continue };
            let Ok(verified) = message.verify(&verifier()) else { continue };
            // What is not the member's own word may differ: the verdict, or the kind of update.
            for item in verified.items() {
                prop_assert!(is_same(item, &*status), "bit {}", bit);
            }
        }
    }
}

#[test]
fn unknown_certificate_is_no_forgery() {
    let stranger = ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap();
    let stranger = stranger.issue(&NodeId::new("a").unwrap(), Duration::from_hours(1)).unwrap();
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    let alive = NodeStatus::alive(stranger.id().clone(), addr, Incarnation::new(1), Tags::empty());
    let message = Message::Page { nodes: vec![alive.signed(&stranger.signer()).into()], more: false };
    let (refusal, _) = Unverified::new(message).verify(&verifier()).unwrap_err();
    assert!(refusal.is_innocent(), "{refusal}");
    let der = stranger.certificate().der().clone();
    assert!(MEMBERS[0].authorities().certificate(&der).is_err(), "another authority issued it");
}

#[test]
fn revocation_verifies_only_with_the_key_of_a_trusted_authority() {
    let (ours, theirs) = (
        ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap(),
        ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap(),
    );
    let member = ours.issue(&NodeId::new("a").unwrap(), Duration::from_hours(1)).unwrap();
    let verifier = Verifier::new(&member, Certificates::of([member.certificate()]));
    let revoker = |ca: &ClusterCa| Revoker::from_pem(ca.cert_pem(), &ca.key_pem(), None).unwrap();
    let unsigned = Revocation {
        node: NodeId::new("b").unwrap(),
        covered: Covered::IssuedUntil(7),
        until: 9,
        proof: Proof::default(),
    };
    let by = |signer: &dyn Sign| Revocation { proof: prove(signer, &unsigned), ..unsigned.clone() };
    let good = by(&revoker(&ours));
    assert_eq!(verify_item(&verifier, &good), Ok(()));
    // An authority of nobody here, and a member.
    for forged in [by(&revoker(&theirs)), by(&member.signer())] {
        let refusal = verify_item(&verifier, &forged).unwrap_err();
        assert!(matches!(refusal, Refusal::UnknownAuthority { .. }) && refusal.is_innocent(), "{refusal}");
    }
    // The authority's name on what it did not sign.
    for changed in [
        Revocation { until: 10, ..good.clone() },
        Revocation { covered: Covered::IssuedUntil(8), ..good.clone() },
        Revocation { node: NodeId::new("c").unwrap(), ..good.clone() },
        Revocation {
            proof: Proof { certificate: good.proof.certificate, ..by(&member.signer()).proof },
            ..good.clone()
        },
    ] {
        let refusal = verify_item(&verifier, &changed).unwrap_err();
        assert!(matches!(refusal, Refusal::BadAuthority { .. }) && !refusal.is_innocent(), "{refusal}");
    }
}

#[test]
fn statement_of_a_revoked_certificate_is_not_believed() {
    let revoked = RevokedCertificates::default();
    let certificates = Certificates::of(MEMBERS.iter().map(NodeIdentity::certificate));
    let verifier = Verifier::new(&MEMBERS[0], certificates).without(revoked.clone());
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    let statement = |at: usize| {
        NodeStatus::alive(MEMBERS[at].id().clone(), addr, Incarnation::new(5), Tags::empty())
            .signed(&MEMBERS[at].signer())
    };
    assert_eq!(verify_item(&verifier, &statement(1)), Ok(()));
    let serial = Covered::Serial(Serial::new(MEMBERS[1].certificate().serial()).unwrap());
    let (node, until) = (MEMBERS[1].id().clone(), u64::MAX);
    revoked.insert(0, Revocation { node, covered: serial, until, proof: Proof::default() });
    let refusal = verify_item(&verifier, &statement(1)).unwrap_err();
    assert!(matches!(refusal, Refusal::Revoked { .. }) && refusal.is_innocent(), "{refusal}");
    assert_eq!(verify_item(&verifier, &statement(2)), Ok(()));
}
