//! What a certificate says, for people. Nothing is verified.

use kinfolk_core::signed::Fingerprint;
use x509_parser::certificate::X509Certificate;

use super::keys::KeyKind;
use super::{IdentityError, PeerName, check};

/// What the text of a certificate says, unverified: anybody may have written it.
///
/// # Examples
/// ```
/// use kinfolk_transport::{CertificateInfo, ClusterCa};
/// let ca = ClusterCa::create(&"shop".parse()?)?;
/// let shown = CertificateInfo::read_pem(ca.cert_pem())?;
/// assert_eq!((shown[0].name.as_str(), shown[0].is_authority), ("shop.kinfolk", true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateInfo {
    /// The name of a node, `<node>.<cluster>.kinfolk`. Of an authority or another certificate, its
    /// common name.
    pub name: String,
    /// Whether it is the certificate of an authority.
    pub is_authority: bool,
    /// The serial number, as hexadecimal digits.
    pub serial: String,
    /// The common name of the authority that issued it.
    pub issuer: String,
    /// The kind of its key, such as `ECDSA P-256`, or why a node cannot use it.
    pub key: String,
    /// The first second of its validity (UTC).
    pub valid_from: String,
    /// The last second of its validity (UTC).
    pub valid_until: String,
    /// The last second of its validity, in seconds since the Unix epoch.
    pub expires_unix_secs: i64,
    /// The SHA-256 of the certificate, as hexadecimal digits.
    pub fingerprint: String,
}

impl CertificateInfo {
    /// Reads all certificates in a PEM text.
    ///
    /// # Errors
    /// [`IdentityError::Parse`] if one cannot be parsed, or there is none.
    pub fn read_pem(pem: &str) -> Result<Vec<Self>, IdentityError> {
        let blocks = check::certificates(pem, "certificate")?;
        blocks
            .iter()
            .map(|block| Ok(Self::of(&check::x509(block, "certificate")?, &block.contents)))
            .collect()
    }

    fn of(cert: &X509Certificate<'_>, der: &[u8]) -> Self {
        let (from, until) = check::validity(cert);
        let node = PeerName::of_certificate(cert).map(|name| name.to_string());
        let kind = if cert.is_ca() { KeyKind::of_authority(cert) } else { KeyKind::of_node(cert) };
        Self {
            name: node.unwrap_or_else(|_| check::common_name(cert.subject())),
            is_authority: cert.is_ca(),
            serial: hex(cert.raw_serial()),
            issuer: check::common_name(cert.issuer()),
            key: match kind {
                Ok(KeyKind::P256) => "ECDSA P-256".to_owned(),
                Ok(KeyKind::P384) => "ECDSA P-384".to_owned(),
                Ok(KeyKind::Rsa(bits)) => format!("RSA, {bits} bits"),
                Err(IdentityError::WrongKeyKind { found, .. }) => format!("{found}, which no node can use"),
                Err(_) => "unknown".to_owned(),
            },
            valid_from: check::utc(from),
            valid_until: check::utc(until),
            expires_unix_secs: until,
            fingerprint: hex(Fingerprint::of(der).as_bytes()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}
