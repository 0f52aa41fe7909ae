//! Who a node is, as its certificate says it: the cluster's authority, the node's own certificate and key, and the
//! name inside. Nothing here opens a connection.

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
