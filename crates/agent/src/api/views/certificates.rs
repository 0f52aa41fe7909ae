//! Certificates, and when they expire.

use kinfolk::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The certificates that the agent knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CertificatesView {
    /// The agent's own certificate.
    pub(crate) own: CertificateView,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CertificateView {
    /// The node that it names.
    #[schema(value_type = String)]
    pub(crate) node: NodeId,
    /// The cluster that it names.
    #[schema(value_type = String)]
    pub(crate) cluster: ClusterId,
    /// The last second of its validity, in seconds since 1970.
    pub(crate) expires_unix: i64,
    /// How many seconds it is still valid. Negative after that.
    pub(crate) expires_in_seconds: i64,
}
