//! The authority of a cluster, as a node trusts it. It holds the authority's public key and no
//! private one, so it can check certificates and cannot issue any.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use kinfolk_core::ClusterId;
use x509_parser::certificate::X509Certificate;

use super::{IdentityError, ca, check};

/// The certificate authority of one cluster: what a node needs to check the certificates of the
/// other nodes. Cloning is cheap.
///
/// [`certificate`](Self::certificate) is the only way to a [`Certificate`](super::Certificate).
#[derive(Clone)]
pub struct Authority(Arc<Parts>);

struct Parts {
    cluster: ClusterId,
    /// The authority's name in DER, as its certificates name their issuer.
    name: Box<[u8]>,
    /// The last second of the validity, in seconds since the Unix epoch.
    expires: i64,
    /// Parsed once, and not again for each certificate.
    key: ParsedPublicKey,
}

impl Authority {
    /// The authority with this certificate. It does not check the time.
    pub(super) fn of_certificate(cert: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        if !cert.is_ca() {
            return Err(IdentityError::NotACa);
        }
        let cluster = ca::cluster_of(cert)?;
        let key = check::public_key(cert, &ECDSA_P256_SHA256_ASN1, "CA")?;
        let expires = cert.validity().not_after.timestamp();
        Ok(Self(Arc::new(Parts { cluster, name: cert.subject().as_raw().into(), expires, key })))
    }

    /// The cluster whose certificates this authority signs.
    pub fn cluster(&self) -> &ClusterId {
        &self.0.cluster
    }

    /// The last second of the validity of the authority's certificate, in seconds since the Unix
    /// epoch. After it, no member accepts a connection of another one.
    pub fn expires_unix_secs(&self) -> i64 {
        self.0.expires
    }

    /// Whether this authority signed `cert`. The issuer's name must match too: TLS finds the issuer
    /// by name.
    pub(super) fn has_signed(&self, cert: &X509Certificate<'_>) -> bool {
        *cert.issuer().as_raw() == *self.0.name && check::is_signed_with(cert, &self.0.key)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("cluster", self.cluster()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::NodeId;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384};

    use super::*;
    use crate::identity::ClusterCa;

    fn of_pem(pem: &str) -> Result<Authority, IdentityError> {
        let block = check::first_certificate(pem, "CA certificate")?;
        Authority::of_certificate(&check::x509(&block, "CA certificate")?)
    }

    #[test]
    fn authority_names_its_cluster() {
        let ca = ClusterCa::create(&ClusterId::new("prod").unwrap()).unwrap();
        assert_eq!(of_pem(ca.cert_pem()).unwrap().cluster().as_str(), "prod");
    }

    #[test]
    fn certificate_of_a_node_is_no_authority() {
        let ca = ClusterCa::create(&ClusterId::new("prod").unwrap()).unwrap();
        let node = ca.issue(&NodeId::new("a").unwrap(), Duration::from_hours(1)).unwrap();
        assert_eq!(of_pem(node.cert_pem()).unwrap_err(), IdentityError::NotACa);
    }

    #[test]
    fn authority_with_a_key_of_another_kind_is_refused() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "prod.kinfolk");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        assert_eq!(of_pem(&pem).unwrap_err(), IdentityError::WrongKeyKind { what: "CA" });
    }
}
