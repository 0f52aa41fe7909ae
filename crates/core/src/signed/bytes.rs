//! The bytes that a signature covers.
//!
//! ```text
//!   "kinfolk signed 1" │ kind │ cluster │ name │ fingerprint of the certificate │ content
//! ```
//!
//! The cluster and the name have their length in front, so no two statements share their bytes. The
//! kind prevents that a signature over one kind of content is taken for one over another kind.

use super::hash::Fingerprint;
use super::proof::Proof;
use crate::cluster_id::ClusterId;
use crate::node::NodeId;

/// The first bytes of everything that is signed. No other use of the same key begins with them.
const DOMAIN: &[u8; 16] = b"kinfolk signed 1";

/// The kinds of content that members and authorities sign. The number of a kind never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A member's statement about itself.
    Statement = 1,
    /// A broadcast of an application.
    Broadcast = 2,
    /// An accusation of another member.
    Accusation = 3,
    /// A revocation of certificates. An authority signs it.
    Revocation = 4,
}

/// Something that one member signed.
pub trait Attested {
    /// What kind of content it is.
    fn kind(&self) -> Kind;

    /// The member that signed it, by its own word. Verification proves it.
    fn signer(&self) -> &NodeId;

    /// The proof.
    fn proof(&self) -> &Proof;

    /// Appends the content. Different contents append different bytes.
    fn write_content(&self, bytes: &mut Vec<u8>);
}

/// Whether both are the same signed item, signature included. Then one is verified if the other is.
pub fn is_same(one: &dyn Attested, other: &dyn Attested) -> bool {
    let content = |item: &dyn Attested| {
        let mut bytes = Vec::with_capacity(128);
        item.write_content(&mut bytes);
        bytes
    };
    one.proof() == other.proof()
        && (one.kind(), one.signer()) == (other.kind(), other.signer())
        && content(one) == content(other)
}

/// The bytes that the signature of `item` covers.
pub(super) fn signed_bytes(cluster: &ClusterId, certificate: &Fingerprint, item: &dyn Attested) -> Vec<u8> {
    let (cluster, name) = (cluster.as_str().as_bytes(), item.signer().as_str().as_bytes());
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(DOMAIN);
    bytes.push(item.kind() as u8);
    for label in [cluster, name] {
        // A label has at most 63 bytes.
        bytes.extend_from_slice(&[u8::try_from(label.len()).unwrap_or(u8::MAX)]);
        bytes.extend_from_slice(label);
    }
    bytes.extend_from_slice(certificate.as_bytes());
    item.write_content(&mut bytes);
    bytes
}
