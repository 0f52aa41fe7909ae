//! The authorities that a node trusts. It holds their public keys and no private one, so it can
//! check certificates and cannot issue any.

use std::fmt;
use std::sync::Arc;

use kinfolk_core::ClusterId;
use kinfolk_core::signed::Fingerprint;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;

use super::keys::{KeyKind, PublicKey, encode_pem};
use super::{IdentityError, check, name};

/// How many authorities a bundle may have. Two are usual while one replaces the other.
const AUTHORITIES_MAX: usize = 16;

/// The authorities that a node trusts: one or more certificates, in any order. Cloning is cheap.
///
/// Their names do not matter, and neither does who issued them. An authority that `kinfolk ca` made
/// names its cluster, and then it must be the cluster of the node.
///
/// # Examples
/// ```
/// use kinfolk_transport::{ClusterCa, TrustBundle};
/// let old = ClusterCa::create(&"shop".parse()?)?;
/// let new = ClusterCa::create(&"shop".parse()?)?;
/// let both = TrustBundle::from_pem(&format!("{}{}", new.cert_pem(), old.cert_pem()))?;
/// assert_eq!(both.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TrustBundle(Arc<[Anchor]>);

/// The certificate of an authority.
pub(super) struct Anchor {
    der: Box<[u8]>,
    /// Its name in DER, as its certificates name their issuer.
    name: Box<[u8]>,
    /// Its name for people.
    text: String,
    key: PublicKey,
    /// The identifier of the key, if the certificate has one.
    key_id: Option<Box<[u8]>>,
    /// How many intermediate authorities may stand between it and a node.
    intermediates_max: Option<u32>,
    /// The first and the last second of its validity, in seconds since the Unix epoch.
    pub(super) validity: (i64, i64),
}

impl TrustBundle {
    /// Reads the certificates of at most 16 authorities in PEM. Other blocks are ignored.
    ///
    /// It does not check the time: an authority that has expired is never used, and does no harm.
    ///
    /// # Errors
    /// [`IdentityError`]: a certificate cannot be parsed, is not an authority's, has a key of
    /// another kind or an extension that this program does not support, or there are too many.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let blocks = check::certificates(pem, "CA certificate")?;
        if blocks.len() > AUTHORITIES_MAX {
            return Err(IdentityError::TooMany {
                what: "CA file",
                found: blocks.len(),
                max: AUTHORITIES_MAX,
            });
        }
        let mut anchors: Vec<Anchor> = Vec::with_capacity(blocks.len());
        for block in blocks {
            if anchors.iter().all(|known| *known.der != *block.contents) {
                let cert = check::x509(&block, "CA certificate")?;
                anchors.push(Anchor::of_certificate(&cert, &block.contents)?);
            }
        }
        Ok(Self(anchors.into()))
    }

    /// The number of authorities, each counted once.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none. A bundle from a text always has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them has the public key with this fingerprint, as a revocation names it.
    pub fn has_key(&self, fingerprint: &Fingerprint) -> bool {
        self.key(fingerprint).is_some()
    }

    /// The certificates in PEM.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(Anchor::to_pem).collect()
    }

    /// The certificates that are valid now, in PEM. The TLS library tries the first authority of a
    /// name and key. So an expired certificate must not stand before the renewed one. With none
    /// that is valid, all: then each handshake fails with the cause.
    pub(crate) fn current_pem(&self, now: OffsetDateTime) -> String {
        let now = now.unix_timestamp();
        let is_current = |anchor: &&Anchor| (anchor.validity.0..=anchor.validity.1).contains(&now);
        let current: String = self.0.iter().filter(is_current).map(Anchor::to_pem).collect();
        if current.is_empty() { self.to_pem() } else { current }
    }

    /// The last second in which [`current_pem`](Self::current_pem) is the same as now.
    pub(crate) fn next_change(&self, now: i64) -> i64 {
        let changes =
            self.0.iter().flat_map(|anchor| [anchor.validity.0.saturating_sub(1), anchor.validity.1]);
        changes.filter(|last| *last >= now).min().unwrap_or(i64::MAX)
    }

    /// The authority that signed `cert`, below which `depth` intermediate authorities stand. With
    /// several certificates of one authority, the one that is valid for longest.
    pub(super) fn issuer_of(&self, cert: &X509Certificate<'_>, depth: usize) -> Option<&Anchor> {
        let signed = self.0.iter().filter(|anchor| anchor.allows(depth) && anchor.has_signed(cert));
        signed.max_by_key(|anchor| anchor.validity.1)
    }

    /// The public key of an authority with this fingerprint.
    pub(super) fn key(&self, fingerprint: &Fingerprint) -> Option<&PublicKey> {
        self.0.iter().map(|anchor| &anchor.key).find(|key| key.fingerprint() == *fingerprint)
    }

    /// Checks that an authority that names a cluster names this one.
    pub(super) fn is_for(&self, cluster: &ClusterId) -> Result<(), IdentityError> {
        let other = self
            .0
            .iter()
            .find_map(|anchor| name::parse_cluster(&anchor.text).ok().filter(|named| named != cluster));
        match other {
            Some(expected) => Err(IdentityError::WrongCluster { expected, found: cluster.clone() }),
            None => Ok(()),
        }
    }
}

impl Anchor {
    fn of_certificate(cert: &X509Certificate<'_>, der: &[u8]) -> Result<Self, IdentityError> {
        let authority = check::authority(cert)?;
        let key = PublicKey::of_certificate(KeyKind::of_authority(cert)?, cert);
        // Nobody trusts a root for its own signature, but a damaged file shows by it.
        check::is_exact(cert)?;
        if cert.subject() == cert.issuer() && !key.has_signed(cert) {
            let cause = "its signature does not match, so the file is damaged";
            return Err(IdentityError::parse("CA certificate", &cause));
        }
        Ok(Self {
            der: der.into(),
            name: cert.subject().as_raw().into(),
            text: check::common_name(cert.subject()),
            key,
            key_id: check::subject_key_id(cert).map(Into::into),
            intermediates_max: authority.intermediates_max,
            validity: check::validity(cert),
        })
    }

    fn allows(&self, intermediates: usize) -> bool {
        self.intermediates_max.is_none_or(|max| intermediates <= max as usize)
    }

    /// Whether this authority signed `cert`. The issuer's name must match too: TLS finds the issuer
    /// by name.
    fn has_signed(&self, cert: &X509Certificate<'_>) -> bool {
        *cert.issuer().as_raw() == *self.name
            && check::may_be_issuer(self.key_id.as_deref(), cert)
            && self.key.has_signed(cert)
    }

    fn to_pem(&self) -> String {
        encode_pem("CERTIFICATE", self.der.to_vec())
    }
}

impl fmt::Debug for TrustBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|anchor| &anchor.text)).finish()
    }
}

impl PartialEq for TrustBundle {
    /// Whether both have the same certificates in the same order.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().map(|anchor| &anchor.der).eq(other.0.iter().map(|anchor| &anchor.der))
    }
}

impl Eq for TrustBundle {}
