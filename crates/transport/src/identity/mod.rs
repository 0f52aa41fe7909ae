//! The identity of a node: the certificate authorities of its cluster, its certificate and key, and
//! the name in the certificate. Also the verified certificates of other nodes, and signatures.
//! Nothing here opens a connection.

mod ca;
mod certificate;
mod chain;
mod check;
mod error;
mod info;
mod keys;
mod name;
mod node;
mod revocation;
mod signer;
#[cfg(test)]
mod tests;
mod trust;

pub use ca::ClusterCa;
pub use certificate::{Authorities, Certificate};
pub use error::IdentityError;
pub use info::CertificateInfo;
pub use name::PeerName;
pub(crate) use name::{cluster_name, name_suffix};
pub use node::NodeIdentity;
pub use revocation::{RevokedCertificates, Revoker, revocation_pem};
pub use signer::NodeSigner;
pub use trust::TrustBundle;
