//! The certificate authority of one cluster. It signs the certificates of the nodes.
//!
//! An operator uses it to prepare a cluster, and tests use it. A running node never needs it.

use std::fmt;
use std::time::Duration;

use kinfolk_core::{ClusterId, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::OffsetDateTime;

use super::{IdentityError, NodeIdentity, PeerName, check, name};

/// How long the authority's own certificate is valid: ten years.
const CA_VALIDITY: Duration = Duration::from_hours(10 * 365 * 24);

/// How far the start of a validity lies in the past. A peer whose clock is behind by less than this
/// accepts a new certificate at once.
const CLOCK_ERROR: Duration = Duration::from_mins(5);

/// The certificate authority of one cluster: an ECDSA P-256 key and a self-signed certificate that
/// names the cluster.
///
/// Anyone who holds the private key can issue a certificate under any name. Keep the key away from
/// the nodes.
pub struct ClusterCa {
    cluster: ClusterId,
    cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl ClusterCa {
    /// Creates a new authority for `cluster`, valid for ten years.
    ///
    /// # Errors
    /// [`IdentityError::Make`] if the cryptographic library fails, for example without entropy.
    pub fn create(cluster: &ClusterId) -> Result<Self, IdentityError> {
        Self::with_key(cluster, new_key()?, CA_VALIDITY)
    }

    fn with_key(cluster: &ClusterId, key: KeyPair, validity: Duration) -> Result<Self, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name::cluster_name(cluster));
        // A path length of 0: no certificate of this CA can act as a CA itself.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, validity);
        let cert = params.self_signed(&key).map_err(|fault| IdentityError::make(&fault))?;
        Ok(Self { cluster: cluster.clone(), cert_pem: cert.pem(), issuer: Issuer::new(params, key) })
    }

    /// Reads an authority from its two PEM texts.
    ///
    /// # Errors
    /// [`IdentityError`] if a text cannot be parsed, if the key does not belong to the certificate,
    /// if the certificate is not an authority's, or if it is not valid now.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, IdentityError> {
        let block = check::first_certificate(cert, "CA certificate")?;
        let parsed = check::x509(&block, "CA certificate")?;
        if !parsed.is_ca() {
            return Err(IdentityError::NotACa);
        }
        let cluster = cluster_of(&parsed)?;
        check::is_current(
            check::validity(&parsed),
            &name::cluster_name(&cluster),
            OffsetDateTime::now_utc(),
        )?;
        let key = check::key_of(key, &parsed, "CA")?;
        let issuer = Issuer::from_ca_cert_pem(cert, key).map_err(|fault| IdentityError::make(&fault))?;
        Ok(Self { cluster, cert_pem: cert.to_owned(), issuer })
    }

    /// The cluster whose certificates this authority signs.
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// The certificate in PEM. It is public; every node needs it.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The private key in PEM (PKCS #8). Keep it secret.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Issues a certificate with a new key for `node`. It is valid from five minutes ago until
    /// `validity` from now.
    ///
    /// # Errors
    /// [`IdentityError::Make`] if the cryptographic library fails; [`IdentityError::Expired`] if
    /// `validity` is zero.
    pub fn issue(&self, node: &NodeId, validity: Duration) -> Result<NodeIdentity, IdentityError> {
        let (cert, key) =
            self.sign(&PeerName::new(node.clone(), self.cluster.clone()).to_string(), validity)?;
        NodeIdentity::from_pem(&cert, &key, &self.cert_pem)
    }

    /// The same authority with a new certificate for the same key, valid from five minutes ago
    /// until `validity` from now. Certificates that it has issued stay valid with either
    /// certificate.
    ///
    /// # Errors
    /// [`IdentityError::Make`] if the cryptographic library fails.
    pub fn renewed(&self, validity: Duration) -> Result<Self, IdentityError> {
        let key = KeyPair::from_pem(&self.key_pem()).map_err(|fault| IdentityError::make(&fault))?;
        Self::with_key(&self.cluster, key, validity)
    }

    /// Signs a certificate for one name. Returns the certificate and its key, both in PEM.
    pub(crate) fn sign(&self, san: &str, validity: Duration) -> Result<(String, String), IdentityError> {
        let key = new_key()?;
        let mut params =
            CertificateParams::new(vec![san.to_owned()]).map_err(|fault| IdentityError::make(&fault))?;
        params.distinguished_name.push(DnType::CommonName, "kinfolk node");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // A node is a server for some peers and a client for others, so it needs both usages.
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, validity);
        let cert = params.signed_by(&key, &self.issuer).map_err(|fault| IdentityError::make(&fault))?;
        Ok((cert.pem(), key.serialize_pem()))
    }
}

/// The cluster that the certificate of an authority names.
pub(super) fn cluster_of(
    ca: &x509_parser::certificate::X509Certificate<'_>,
) -> Result<ClusterId, IdentityError> {
    let common_name = ca.subject().iter_common_name().next();
    let text = common_name.and_then(|name| name.as_str().ok()).ok_or(IdentityError::NotACa)?;
    name::parse_cluster(text)
}

fn new_key() -> Result<KeyPair, IdentityError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|fault| IdentityError::make(&fault))
}

fn set_validity(params: &mut CertificateParams, validity: Duration) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_ERROR;
    params.not_after = now + validity;
}

impl fmt::Debug for ClusterCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterCa").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}
