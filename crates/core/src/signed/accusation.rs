//! Accusations: what one member found against another, with its signature. A suspicion stands on
//! one accusation, and a failure on several.

use serde::{Deserialize, Serialize};

use super::bytes::{Attested, Kind};
use super::proof::Proof;
use crate::incarnation::Incarnation;
use crate::node::NodeId;

/// What the accuser found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Charge {
    /// The subject has answered none of the accuser's probes for this time.
    Silent {
        /// The time in milliseconds.
        for_ms: u32,
    },
    /// The subject's host reports to the accuser that no process listens at the subject's port.
    PortClosed,
    /// The accuser reaches the subject only now and then.
    Lossy,
}

/// One member's accusation of another. It holds against the subject's statement with this
/// incarnation alone: with a higher incarnation the subject refutes it.
///
/// # Examples
/// ```
/// use kinfolk_core::signed::{Accusation, Charge, Proof};
/// use kinfolk_core::{Incarnation, NodeId};
/// let accusation = Accusation {
///     subject: NodeId::new("db-1")?,
///     incarnation: Incarnation::new(7),
///     accuser: NodeId::new("db-2")?,
///     accuser_incarnation: Incarnation::new(9),
///     charge: Charge::PortClosed,
///     proof: Proof::default(), // not signed yet
/// };
/// assert_eq!(accusation.charge, Charge::PortClosed);
/// # Ok::<(), kinfolk_core::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accusation {
    /// The accused member.
    pub subject: NodeId,
    /// The incarnation of the subject's statement.
    pub incarnation: Incarnation,
    /// The member that accuses.
    pub accuser: NodeId,
    /// The accuser's own incarnation at that time.
    pub accuser_incarnation: Incarnation,
    /// What it found.
    pub charge: Charge,
    /// The accuser's proof.
    pub proof: Proof,
}

impl Attested for Accusation {
    fn kind(&self) -> Kind {
        Kind::Accusation
    }

    fn signer(&self) -> &NodeId {
        &self.accuser
    }

    fn proof(&self) -> &Proof {
        &self.proof
    }

    fn write_content(&self, bytes: &mut Vec<u8>) {
        let subject = self.subject.as_str().as_bytes();
        // A name has at most 63 bytes.
        bytes.push(u8::try_from(subject.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(subject);
        bytes.extend_from_slice(&self.incarnation.get().to_be_bytes());
        bytes.extend_from_slice(&self.accuser_incarnation.get().to_be_bytes());
        let (charge, for_ms) = match self.charge {
            Charge::Silent { for_ms } => (0, for_ms),
            Charge::PortClosed => (1, 0),
            Charge::Lossy => (2, 0),
        };
        bytes.push(charge);
        bytes.extend_from_slice(&for_ms.to_be_bytes());
    }
}
