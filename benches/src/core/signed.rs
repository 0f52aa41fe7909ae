//! Measures signatures: what a member pays for each statement, and for each further member of a
//! group that it joins.

use std::time::Duration;

use kinfolk_core::signed::{Proof, Refusal, Verify, verify_item};
use kinfolk_core::{ClusterId, Incarnation, NodeAddr, NodeId, NodeStatus, Tags};
use kinfolk_transport::{Certificate, ClusterCa, NodeIdentity};

use crate::case::Case;

/// Verifies with one certificate.
struct Only(Certificate, ClusterId);

impl Only {
    fn of(identity: &NodeIdentity) -> Self {
        let certificate = identity.authorities().certificate(identity.certificate().der());
        Self(certificate.expect("the own certificate is valid"), identity.cluster().clone())
    }
}

impl Verify for Only {
    fn cluster(&self) -> &ClusterId {
        &self.1
    }

    fn verify_bytes(&self, signer: &NodeId, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        let matches = self.0.node() == signer && self.0.verifies(bytes, &proof.signature);
        if matches { Ok(()) } else { Err(Refusal::BadSignature { signer: signer.clone() }) }
    }
}

pub(super) fn cases() -> [Case; 3] {
    let ca = ClusterCa::create(&ClusterId::new("bench").expect("a label")).expect("keys can be made");
    let name = NodeId::new("member-1").expect("a label");
    let identity = ca.issue(&name, Duration::from_hours(1)).expect("a certificate can be issued");
    let addr = NodeAddr::new(([10, 0, 0, 1], 7946).into());
    let unsigned = NodeStatus::alive(name, addr, Incarnation::new(1), Tags::empty());
    let (signer, authority) = (identity.signer(), identity.authorities());
    let signed = unsigned.clone().signed(&signer);
    let signing = Case::new("sign a statement", move || unsigned.clone().signed(&signer));
    let (only, statement) = (Only::of(&identity), signed.clone());
    let verifying = Case::new("verify a statement", move || verify_item(&only, &statement).is_ok());
    // A member that joins pays this for each member of the group.
    let (only, der) = (Only::of(&identity), identity.certificate().der().clone());
    let joining = Case::new("verify a certificate and its statement", move || {
        authority.certificate(&der).is_ok() && verify_item(&only, &signed).is_ok()
    });
    [signing, verifying, joining]
}
