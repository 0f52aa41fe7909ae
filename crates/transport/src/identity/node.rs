//! The identity of one node: its certificate, its key, and the authority that it trusts. They are
//! checked against each other before any socket is opened, so that a wrong file fails at the start
//! and not in each handshake.

use std::fmt;
use std::sync::Arc;

use kinfolk_core::{ClusterId, NodeId};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;

use super::keys::{KeyKind, PrivateKey, encode_pem};
use super::{Authorities, Certificate, IdentityError, NodeSigner, PeerName, TrustBundle, chain, check};

/// The most certificates in the file of a node: its own, its intermediates, and some of others,
/// which are ignored.
const CERTIFICATES_MAX: usize = 16;

/// The identity of a node. With it the node proves its name and verifies the names of its peers.
/// Cloning is cheap.
///
/// Its `Debug` output shows only the name, never the key.
#[derive(Clone)]
pub struct NodeIdentity(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    name: PeerName,
    cert_pem: String,
    key_pem: String,
    ca_pem: String,
    authorities: Authorities,
    certificate: Arc<Certificate>,
    signer: NodeSigner,
}

impl NodeIdentity {
    /// Reads an identity from three PEM texts: the node's certificate, its private key, and the
    /// certificates of the authorities that it trusts.
    ///
    /// The first text may hold a chain, in any order: the certificate that belongs to the key is
    /// the node's own, and the intermediates on the way to an authority are sent along. Roots in it
    /// are ignored, because the third text alone says who is trusted. The third text may hold
    /// several authorities, in any order. The key may be ECDSA P-256 or P-384, or RSA of 2,048 to
    /// 4,096 bits, in PKCS #8, SEC 1, or PKCS #1. Of the certificate's names exactly one must be
    /// `<node>.<cluster>.kinfolk`; others do not matter.
    ///
    /// # Errors
    /// [`IdentityError`], one variant for each cause: a text cannot be parsed, the key does not
    /// belong to a certificate, no authority signed the certificate, the name is not
    /// `<node>.<cluster>.kinfolk`, an authority names another cluster, the key is of another kind,
    /// or a certificate is not valid now.
    pub fn from_pem(cert: &str, key: &str, ca: &str) -> Result<Self, IdentityError> {
        Self::from_pem_at(cert, key, ca, OffsetDateTime::now_utc())
    }

    /// As [`from_pem`](Self::from_pem), at the given time instead of now.
    pub(crate) fn from_pem_at(
        cert: &str,
        key: &str,
        ca: &str,
        now: OffsetDateTime,
    ) -> Result<Self, IdentityError> {
        let blocks = check::certificates(cert, "certificate")?;
        if blocks.len() > CERTIFICATES_MAX {
            let (what, found, max) = ("certificate file", blocks.len(), CERTIFICATES_MAX);
            return Err(IdentityError::TooMany { what, found, max });
        }
        let certs: Vec<_> =
            blocks.iter().map(|block| check::x509(block, "certificate")).collect::<Result<_, _>>()?;
        let trust = TrustBundle::from_pem(ca)?;
        // Before the private key: the library cannot read one of another kind, and does not say so.
        let node = certs.iter().find(|cert| !cert.is_ca()).unwrap_or(&certs[0]);
        KeyKind::of_node(node)?;
        let key = PrivateKey::from_pem(key, "node")?;
        let own = certs.iter().position(|cert| key.is_of(cert));
        let own = own.ok_or(IdentityError::KeyMismatch { what: "node" })?;
        let name = PeerName::of_certificate(&certs[own])?;
        trust.is_for(&name.cluster)?;
        let authorities = Authorities::new(name.cluster.clone(), trust);
        let der = ordered(&certs, own, authorities.trust(), now);
        let certificate = Arc::new(authorities.certificate(&der)?);
        check::usage(&certs[own], true)?;
        for (cert, _) in chain::split(certificate.der())?.iter().skip(1) {
            check::usage(cert, false)?;
        }
        check::is_current(check::validity(&certs[own]), &name.to_string(), now)?;
        // Of the intermediates and the authority the shortest validity counts.
        check::is_current(certificate.validity(), &format!("an authority of {name}"), now)?;
        let key_pem = key
            .to_pem()
            .ok_or_else(|| IdentityError::parse("private key", &"the library cannot write it again"))?;
        let signer = NodeSigner::new(&certificate, key);
        let cert_pem = pem_of(certificate.der())?;
        let ca_pem = ca.to_owned();
        Ok(Self(Arc::new(Parts { name, cert_pem, key_pem, ca_pem, authorities, certificate, signer })))
    }

    /// The same certificate and key, with other authorities to trust. They must still include the
    /// one that issued the own certificate: otherwise the node could not verify its own statements.
    ///
    /// # Errors
    /// [`IdentityError`] as for [`from_pem`](Self::from_pem).
    pub fn with_trust(&self, trust: &TrustBundle) -> Result<Self, IdentityError> {
        Self::from_pem(self.cert_pem(), self.key_pem(), &trust.to_pem())
    }

    /// An identity without any check, for tests with certificates that no correct node has.
    #[cfg(test)]
    pub(crate) fn unchecked(name: PeerName, cert_pem: String, key_pem: String, ca_pem: String) -> Self {
        let trust = TrustBundle::from_pem(&ca_pem).expect("a test gives an authority");
        let authorities = Authorities::new(name.cluster.clone(), trust);
        let block = check::first_certificate(&cert_pem, "certificate").expect("a test gives a certificate");
        let certificate = Arc::new(Certificate::unchecked(name.clone(), &block.contents.into()));
        let key = PrivateKey::from_pem(&key_pem, "node").expect("a test gives a key");
        let signer = NodeSigner::new(&certificate, key);
        Self(Arc::new(Parts { name, cert_pem, key_pem, ca_pem, authorities, certificate, signer }))
    }

    /// The node that the certificate names.
    pub fn id(&self) -> &NodeId {
        &self.0.name.node
    }

    /// The cluster that the certificate names.
    pub fn cluster(&self) -> &ClusterId {
        &self.0.name.cluster
    }

    /// The full name, as the certificate contains it.
    pub fn name(&self) -> &PeerName {
        &self.0.name
    }

    /// The certificate in PEM, with the intermediates on the way to its authority after it.
    pub fn cert_pem(&self) -> &str {
        &self.0.cert_pem
    }

    /// The private key in PEM (PKCS #8). Keep it secret.
    pub fn key_pem(&self) -> &str {
        &self.0.key_pem
    }

    /// The certificates of the authorities in PEM, as they were given.
    pub fn ca_pem(&self) -> &str {
        &self.0.ca_pem
    }

    /// The last second of the certificate's validity, in seconds since the Unix epoch. That of an
    /// intermediate or of the authority counts, if it ends earlier.
    pub fn expires_unix_secs(&self) -> i64 {
        self.0.certificate.validity().1
    }

    /// The last second of the validity of the authority that issued the certificate, directly or
    /// over intermediates, in seconds since the Unix epoch. Of several with the same name and key,
    /// the one that is valid for longest.
    pub fn authority_expires_unix_secs(&self) -> i64 {
        self.0.certificate.authority_until()
    }

    /// Signs in the name of this node.
    pub fn signer(&self) -> NodeSigner {
        self.0.signer.clone()
    }

    /// The authorities of the cluster. They verify the certificates of the other nodes.
    pub fn authorities(&self) -> Authorities {
        self.0.authorities.clone()
    }

    /// The certificate of this node.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.0.certificate)
    }
}

/// The node's own certificate and then those on its path, one after the other. A path whose
/// intermediates are valid now goes before another one: the file of a renewed intermediate may hold
/// the former one too. Without a path it is the own certificate alone, so that the error says what
/// is missing.
fn ordered(certs: &[X509Certificate<'_>], own: usize, trust: &TrustBundle, now: OffsetDateTime) -> Vec<u8> {
    let of_others = certs.iter().enumerate().filter(|(at, _)| *at != own);
    let others: Vec<&X509Certificate<'_>> = of_others.map(|(_, cert)| cert).collect();
    let is_current = |cert: &&X509Certificate<'_>| check::is_current(check::validity(cert), "", now).is_ok();
    let current: Vec<&X509Certificate<'_>> = others.iter().copied().filter(is_current).collect();
    let through = |some: &[&X509Certificate<'_>]| -> Option<Vec<u8>> {
        let path = chain::path(&certs[own], some, trust)?;
        let on_path = path.intermediates.iter().map(|at| some[*at].as_raw());
        Some(std::iter::once(certs[own].as_raw()).chain(on_path).collect::<Vec<&[u8]>>().concat())
    };
    let ordered = through(&current).or_else(|| through(&others));
    ordered.unwrap_or_else(|| certs[own].as_raw().to_vec())
}

/// The certificates of a chain in PEM.
fn pem_of(chain: &[u8]) -> Result<String, IdentityError> {
    let certs = chain::split(chain)?;
    Ok(certs.into_iter().map(|(_, der)| encode_pem("CERTIFICATE", der.to_vec())).collect())
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeIdentity").field("name", &self.0.name.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::ClusterCa;

    const DAY: Duration = Duration::from_hours(24);

    fn ca(cluster: &str) -> ClusterCa {
        ClusterCa::create(&ClusterId::new(cluster).unwrap()).unwrap()
    }

    fn node(ca: &ClusterCa, name: &str) -> NodeIdentity {
        ca.issue(&NodeId::new(name).unwrap(), DAY).unwrap()
    }

    fn fault(cert: &str, key: &str, ca: &str) -> IdentityError {
        NodeIdentity::from_pem(cert, key, ca).unwrap_err()
    }

    #[test]
    fn issued_identity_names_its_node_and_cluster() {
        let identity = node(&ca("prod"), "db-1");
        assert_eq!(identity.name().to_string(), "db-1.prod.kinfolk");
        let again =
            NodeIdentity::from_pem(identity.cert_pem(), identity.key_pem(), identity.ca_pem()).unwrap();
        assert_eq!(again.id(), identity.id());
    }

    /// `kinfolk ca init` makes an authority that lives far longer than its members' certificates.
    #[test]
    fn authority_expires_after_its_members() {
        let identity = node(&ca("prod"), "db-1");
        let (own, authority) = (identity.expires_unix_secs(), identity.authority_expires_unix_secs());
        let left = Duration::from_secs((authority - own).unsigned_abs());
        assert!(authority > own && left > 365 * DAY, "{own}, {authority}");
    }

    #[test]
    fn authority_reads_back_and_issues_for_its_cluster() {
        let first = ca("prod");
        let again = ClusterCa::from_pem(first.cert_pem(), &first.key_pem()).unwrap();
        assert_eq!(again.cluster(), first.cluster());
        let identity = node(&again, "a");
        NodeIdentity::from_pem(identity.cert_pem(), identity.key_pem(), first.cert_pem()).unwrap();
    }

    #[test]
    fn each_fault_of_the_files_has_its_error() {
        let (ours, theirs, other) = (ca("prod"), ca("prod"), ca("test"));
        let (a, b) = (node(&ours, "a"), node(&ours, "b"));
        assert!(matches!(
            fault("junk", a.key_pem(), a.ca_pem()),
            IdentityError::Parse { what: "certificate", .. }
        ));
        assert!(matches!(
            fault(a.cert_pem(), "junk", a.ca_pem()),
            IdentityError::Parse { what: "private key", .. }
        ));
        assert!(matches!(
            fault(a.cert_pem(), a.key_pem(), ""),
            IdentityError::Parse { what: "CA certificate", .. }
        ));
        assert_eq!(fault(a.cert_pem(), b.key_pem(), a.ca_pem()), IdentityError::KeyMismatch { what: "node" });
        assert!(matches!(fault(a.cert_pem(), a.key_pem(), theirs.cert_pem()), IdentityError::WrongCa { .. }));
        assert!(matches!(
            fault(a.cert_pem(), a.key_pem(), other.cert_pem()),
            IdentityError::WrongCluster { .. }
        ));
        assert_eq!(fault(a.cert_pem(), a.key_pem(), a.cert_pem()), IdentityError::NotACa);
    }

    #[test]
    fn certificate_with_another_name_is_refused() {
        let ca = ca("prod");
        let (cert, key) = ca.sign("www.example.org", DAY).unwrap();
        assert!(matches!(fault(&cert, &key, ca.cert_pem()), IdentityError::BadName { .. }));
        let (cert, key) = ca.sign("10.0.0.1", DAY).unwrap();
        assert_eq!(fault(&cert, &key, ca.cert_pem()), IdentityError::NameCount { found: 0 });
    }

    #[test]
    fn expired_or_future_certificate_is_refused() {
        let identity = node(&ca("prod"), "a");
        let at = |seconds: i64| {
            let now = OffsetDateTime::from_unix_timestamp(identity.expires_unix_secs() + seconds).unwrap();
            NodeIdentity::from_pem_at(identity.cert_pem(), identity.key_pem(), identity.ca_pem(), now)
        };
        assert!(at(0).is_ok());
        assert!(matches!(at(1), Err(IdentityError::Expired { .. })));
        assert!(matches!(at(-2 * 24 * 3600), Err(IdentityError::NotYetValid { .. })));
    }

    #[test]
    fn debug_and_errors_never_show_the_key() {
        let identity = node(&ca("prod"), "a");
        let secret = identity.key_pem().lines().nth(1).unwrap();
        assert!(!format!("{identity:?}").contains(secret));
        let swapped =
            fault(identity.cert_pem(), &format!("x{}", &identity.key_pem()[1..]), identity.ca_pem());
        assert!(!format!("{swapped:?} {swapped}").contains(secret));
    }
}
