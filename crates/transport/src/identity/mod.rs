//! The identity of a node: the certificate authority of its cluster, its certificate and key, and
//! the name in the certificate. Also the verified certificates of other nodes, and signatures.
//! Nothing here opens a connection.

mod authority;
mod ca;
mod certificate;
mod check;
mod error;
mod name;
mod node;
mod signer;
#[cfg(test)]
mod tests;

pub use authority::Authority;
pub use ca::ClusterCa;
pub use certificate::Certificate;
pub use error::IdentityError;
pub use name::PeerName;
pub(crate) use name::{cluster_name, name_suffix};
pub use node::NodeIdentity;
pub use signer::NodeSigner;
