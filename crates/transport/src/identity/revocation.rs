//! Revocations: who signs them, their text, and the set that a running node knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::signed::{Covered, Fingerprint, Proof, Revocation, Sign, Signature, prove};
use kinfolk_core::{ClusterId, NodeId};
use parking_lot::RwLock;
use time::OffsetDateTime;

use super::keys::{KeyKind, PrivateKey, PublicKey, encode_pem};
use super::{Certificate, IdentityError, check, name};

/// The tag of the PEM block.
const TAG: &str = "KINFOLK REVOCATION";
/// The longest text of a revocation, in bytes: the longest signature and names need less than half.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// `kinfolk ca` lets a validity begin this long before the certificate is issued.
const ISSUED_EARLIER_SECS: u64 = 5 * 60;

/// The certificate and the key of an authority, to revoke certificates of its cluster. An operator
/// uses it. A node never needs it.
///
/// Any authority that the members trust may revoke any certificate of the cluster.
pub struct Revoker {
    cluster: ClusterId,
    /// The fingerprint of the public key.
    authority: Fingerprint,
    key: PrivateKey,
    /// The last second of the authority's validity.
    until: i64,
    /// Whether `kinfolk ca` made it, as its name says.
    is_own: bool,
}

impl Revoker {
    /// Reads an authority from its two PEM texts. `cluster` is the cluster if the name of the
    /// authority does not say it.
    ///
    /// # Errors
    /// [`IdentityError`]: a text cannot be parsed, the key does not belong to the certificate, the
    /// certificate is not an authority's or not valid now, or it names another cluster.
    pub fn from_pem(cert: &str, key: &str, cluster: Option<&ClusterId>) -> Result<Self, IdentityError> {
        let block = check::first_certificate(cert, "CA certificate")?;
        let parsed = check::x509(&block, "CA certificate")?;
        check::authority(&parsed)?;
        let public = PublicKey::of_certificate(KeyKind::of_authority(&parsed)?, &parsed);
        let key = PrivateKey::from_pem(key, "CA")?;
        if !key.is_of(&parsed) {
            return Err(IdentityError::KeyMismatch { what: "CA" });
        }
        let text = check::common_name(parsed.subject());
        // Nobody would keep what an authority revokes after its end.
        check::is_current(check::validity(&parsed), &text, OffsetDateTime::now_utc())?;
        let named = name::parse_cluster(&text);
        let is_own = named.is_ok();
        let cluster = match (named, cluster) {
            (Ok(expected), Some(found)) if expected != *found => {
                return Err(IdentityError::WrongCluster { expected, found: found.clone() });
            }
            (Ok(named), _) => named,
            (Err(_), Some(given)) => given.clone(),
            (Err(error), None) => return Err(error),
        };
        Ok(Self { cluster, authority: public.fingerprint(), key, until: check::validity(&parsed).1, is_own })
    }

    /// Revokes certificates of `node`. With `None`, all that were issued before now: a certificate
    /// that is issued later is good again. `until` is the last second in which one of them would be
    /// valid, or the last one of the authority if it is not known.
    ///
    /// Returns the text that [`Authorities::revocation`](super::Authorities::revocation) reads.
    pub fn revoke(&self, node: &NodeId, covered: Option<Covered>, until: Option<i64>) -> String {
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
        let all = || {
            let last = if self.is_own { now.saturating_sub(ISSUED_EARLIER_SECS) } else { now };
            Covered::IssuedUntil(last)
        };
        let until = u64::try_from(until.unwrap_or(self.until).min(self.until)).unwrap_or(0);
        let (node, covered) = (node.clone(), covered.unwrap_or_else(all));
        let unsigned = Revocation { node, covered, until, proof: Proof::default() };
        let revocation = Revocation { proof: prove(self, &unsigned), ..unsigned };
        revocation_pem(&self.cluster, &revocation)
    }
}

impl Sign for Revoker {
    fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    fn certificate(&self) -> Fingerprint {
        self.authority
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        // An empty signature verifies nowhere.
        self.key.sign(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for Revoker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revoker").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// The text of a revocation, as a file has it.
pub fn revocation_pem(cluster: &ClusterId, revocation: &Revocation) -> String {
    // Writing to memory cannot fail, and each of the types has an encoding.
    encode_pem(TAG, postcard::to_stdvec(&(cluster, revocation)).unwrap_or_default())
}

/// Reads such a text. Nothing in it is verified.
pub(super) fn read(text: &str) -> Result<(ClusterId, Revocation), IdentityError> {
    let unreadable =
        |cause: &dyn std::fmt::Display| IdentityError::BadRevocation { cause: cause.to_string() };
    if text.len() > TEXT_BYTES_MAX {
        return Err(unreadable(&format!(
            "it has {} bytes, and at most {TEXT_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    let block = pem::parse(text).map_err(|_| unreadable(&"it is not in PEM, or a part of it is missing"))?;
    if block.tag() != TAG {
        return Err(unreadable(&format!("it is a {}, not a {TAG}", block.tag())));
    }
    postcard::from_bytes(block.contents()).map_err(|fault| unreadable(&fault))
}

/// The revocations that a running node knows. Clones share them.
///
/// Its owner is the driver of the protocol, which adds each once; the bound is that of the
/// protocol. The transport and the verification of statements ask it.
#[derive(Debug, Clone, Default)]
pub struct RevokedCertificates(Arc<RwLock<BTreeMap<NodeId, Vec<Revocation>>>>);

impl RevokedCertificates {
    /// Adds a verified revocation, unless a known one covers it. Drops those that it covers, and
    /// those that have ended at `now`, in seconds since the Unix epoch.
    pub fn insert(&self, now: u64, revocation: Revocation) {
        let mut all = self.0.write();
        all.retain(|_, of_node| {
            of_node.retain(|known| !known.has_ended(now));
            !of_node.is_empty()
        });
        let of_node = all.entry(revocation.node.clone()).or_default();
        if !of_node.iter().any(|known| known.covers(&revocation)) {
            of_node.retain(|known| !revocation.covers(known));
            of_node.push(revocation);
        }
    }

    /// Whether this certificate is revoked.
    pub fn contains(&self, certificate: &Certificate) -> bool {
        self.0.read().get(certificate.node()).is_some_and(|of_node| {
            let serial = certificate.serial();
            of_node.iter().any(|one| one.revokes(certificate.node(), serial, certificate.valid_from()))
        })
    }

    /// The members of which certificates are revoked.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.0.read().keys().cloned().collect()
    }

    /// All revocations.
    pub fn all(&self) -> Vec<Revocation> {
        self.0.read().values().flatten().cloned().collect()
    }
}
