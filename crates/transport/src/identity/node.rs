//! The identity of one node: its certificate, its key, and the authority that it trusts. They are
//! checked against each other before any socket is opened, so that a wrong file fails at the start
//! and not in each handshake.

use std::fmt;
use std::sync::Arc;

use kinfolk_core::{ClusterId, NodeId};
use time::OffsetDateTime;

use super::{Authority, Certificate, IdentityError, NodeSigner, PeerName, check};

/// The identity of a node. With it the node proves its name and verifies the names of its peers.
/// Cloning is cheap.
///
/// Its `Debug` output shows only the name, never the key.
#[derive(Clone)]
pub struct NodeIdentity(Arc<Parts>);

struct Parts {
    name: PeerName,
    cert_pem: String,
    key_pem: String,
    ca_pem: String,
    authority: Authority,
    certificate: Arc<Certificate>,
    signer: NodeSigner,
}

impl NodeIdentity {
    /// Reads an identity from three PEM texts: the node's certificate (with intermediates after it,
    /// if any), its private key, and the certificate of the cluster's authority.
    ///
    /// # Errors
    /// [`IdentityError`], one variant for each cause: a text cannot be parsed, the key does not
    /// belong to the certificate, this authority did not sign the certificate, the name is not
    /// `<node>.<cluster>.kinfolk`, the cluster is not the authority's, or the certificate is not
    /// valid now.
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
        let (leaf_block, ca_block) =
            (check::first_certificate(cert, "certificate")?, check::first_certificate(ca, "CA certificate")?);
        let leaf = check::x509(&leaf_block, "certificate")?;
        let ca_cert = check::x509(&ca_block, "CA certificate")?;
        let authority = Authority::of_certificate(&ca_cert)?;
        let name = PeerName::of_certificate(&leaf)?;
        let key = check::key_of(key, &leaf, "node")?;
        let certificate = Arc::new(authority.certificate(&leaf_block.contents)?);
        check::is_current(&ca_cert, "the CA", now)?;
        check::is_current(&leaf, &name.to_string(), now)?;
        let signer = NodeSigner::new(&certificate, &key.serialize_der())?;
        // Write the key again in PKCS #8, the form that the TLS library reads in every case.
        let (cert_pem, key_pem, ca_pem) = (cert.to_owned(), key.serialize_pem(), ca.to_owned());
        Ok(Self(Arc::new(Parts { name, cert_pem, key_pem, ca_pem, authority, certificate, signer })))
    }

    /// An identity without any check, for tests with certificates that no correct node has.
    #[cfg(test)]
    pub(crate) fn unchecked(name: PeerName, cert_pem: String, key_pem: String, ca_pem: String) -> Self {
        let block = |pem, what| check::first_certificate(pem, what).expect("a test gives a certificate");
        let ca_block = block(&ca_pem, "CA certificate");
        let ca_cert = check::x509(&ca_block, "CA certificate").expect("a test gives a certificate");
        let authority = Authority::of_certificate(&ca_cert).expect("a test gives an authority");
        let leaf = bytes::Bytes::from(block(&cert_pem, "certificate").contents);
        let certificate = Arc::new(Certificate::unchecked(name.clone(), &leaf));
        let key = rcgen::KeyPair::from_pem(&key_pem).expect("a test gives a key");
        let signer = NodeSigner::new(&certificate, &key.serialize_der()).expect("a test gives a P-256 key");
        Self(Arc::new(Parts { name, cert_pem, key_pem, ca_pem, authority, certificate, signer }))
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

    /// The certificate in PEM.
    pub fn cert_pem(&self) -> &str {
        &self.0.cert_pem
    }

    /// The private key in PEM (PKCS #8). Keep it secret.
    pub fn key_pem(&self) -> &str {
        &self.0.key_pem
    }

    /// The certificate of the cluster's authority in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.0.ca_pem
    }

    /// The last second of the certificate's validity, in seconds since the Unix epoch.
    pub fn expires_unix_secs(&self) -> i64 {
        self.0.certificate.expires()
    }

    /// Signs in the name of this node.
    pub fn signer(&self) -> NodeSigner {
        self.0.signer.clone()
    }

    /// The authority of the cluster. It verifies the certificates of the other nodes.
    pub fn authority(&self) -> Authority {
        self.0.authority.clone()
    }

    /// The certificate of this node.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.0.certificate)
    }
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
        let (own, authority) = (identity.expires_unix_secs(), identity.authority().expires_unix_secs());
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
        assert_eq!(fault(&cert, &key, ca.cert_pem()), IdentityError::NameCount { found: 1 });
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
