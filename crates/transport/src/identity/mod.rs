//! The identity of a node: the certificate authority of its cluster, its certificate and key, and
//! the name in the certificate. Nothing here opens a connection.

mod ca;
mod check;
mod error;
mod name;
mod node;

pub use ca::ClusterCa;
pub use error::IdentityError;
pub use name::PeerName;
pub(crate) use name::{cluster_name, name_suffix};
pub use node::NodeIdentity;
