//! Forged statements about other members.

use std::time::Duration;

use kinfolk::{
    ClusterId, Condition, Coordinate, Incarnation, NodeAddr, NodeIdentity, NodeState, NodeStatus, Service,
    ServiceName, Tags,
};
use kinfolk_core::signed::{Attested, Fingerprint, Proof, Sign, Signature, prove};

/// What the liar says about the victim.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Address,
    Tags,
    Services,
    Condition,
    Coordinate,
    Leave,
}

/// How the liar proves it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proving {
    /// With the proof of the victim's present statement.
    Copied,
    /// With the liar's own key and certificate.
    Own,
    /// With the liar's own key, under the fingerprint of the victim's certificate.
    Borrowed,
}

impl Proving {
    pub(crate) const ALL: [Self; 3] = [Self::Copied, Self::Own, Self::Borrowed];

    /// The proof of `item`. `victim` is that of the victim's present statement.
    pub(crate) fn proof(self, item: &dyn Attested, victim: &Proof, liar: &NodeIdentity) -> Proof {
        match self {
            Self::Copied => victim.clone(),
            Self::Own => prove(&liar.signer(), item),
            Self::Borrowed => borrowed(victim.certificate, item, liar),
        }
    }
}

/// The proof of `item` by the liar's key, under another fingerprint.
pub(crate) fn borrowed(certificate: Fingerprint, item: &dyn Attested, liar: &NodeIdentity) -> Proof {
    prove(&Borrower { certificate, liar }, item)
}

/// Signs with the liar's key, and names another certificate.
#[derive(Debug)]
struct Borrower<'a> {
    certificate: Fingerprint,
    liar: &'a NodeIdentity,
}

impl Sign for Borrower<'_> {
    fn cluster(&self) -> &ClusterId {
        self.liar.cluster()
    }

    fn certificate(&self) -> Fingerprint {
        self.certificate
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        self.liar.signer().sign_bytes(bytes)
    }
}

/// The incarnations of the lies about one statement: the same, one above, 23 hours ahead of the
/// clock, and the highest.
pub(crate) fn incarnations(of: &NodeStatus, since_epoch: Duration) -> [Incarnation; 4] {
    let ahead = Incarnation::at_start(since_epoch + Duration::from_hours(23), None);
    [of.incarnation, of.incarnation.next(), ahead, Incarnation::new(u64::MAX)]
}

/// The victim's statement with one field changed, and without a proof. A changed address is
/// `addr`.
pub(crate) fn changed(victim: &NodeStatus, field: Field, at: Incarnation, addr: NodeAddr) -> NodeStatus {
    let mut about = victim.about();
    match field {
        Field::Tags => about.tags = Tags::new([("role", "forged")]).expect("a short tag"),
        Field::Services => {
            let name = ServiceName::new("forged").expect("a label");
            about.services = about.services.with(name, Service::new(666)).expect("there is room");
        }
        Field::Condition => about.condition = Condition::critical("forged"),
        Field::Coordinate => {
            let forged = Coordinate::new([666; 4], 666, 0).expect("within the bounds");
            about = about.with_coordinate(Some(forged));
        }
        Field::Address | Field::Leave => {}
    }
    let addr = if matches!(field, Field::Address) { addr } else { victim.addr };
    let state = if matches!(field, Field::Leave) { NodeState::Left } else { NodeState::Alive };
    NodeStatus::described(victim.id.clone(), addr, at, about).with_state(state)
}

/// All lies about one field of the victim: each incarnation with each proof.
pub(crate) fn forged(
    victim: &NodeStatus,
    field: Field,
    (liar, addr, since_epoch): (&NodeIdentity, NodeAddr, Duration),
) -> Vec<NodeStatus> {
    let mut lies = Vec::new();
    for at in incarnations(victim, since_epoch) {
        let lie = changed(victim, field, at, addr);
        lies.extend(Proving::ALL.map(|proving| {
            let proof = proving.proof(&lie, &victim.proof, liar);
            NodeStatus { proof, ..lie.clone() }
        }));
    }
    lies
}
