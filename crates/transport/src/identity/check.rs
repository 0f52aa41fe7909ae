//! The checks of a certificate, each a function of plain values. `ca.rs`, `trust.rs`, `chain.rs`
//! and `node.rs` decide which checks apply.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::pem::Pem;
use x509_parser::x509::X509Name;

use super::keys::CertificateSignature;
use super::{IdentityError, PeerName};

/// The longest text with certificates, in bytes. A bundle of 16 authorities with long RSA keys has
/// less than 64 KiB.
const PEM_BYTES_MAX: usize = 256 * 1024;

// The tags of DER (X.690).
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// All certificates in a PEM text, at least one.
pub(super) fn certificates(pem: &str, what: &'static str) -> Result<Vec<Pem>, IdentityError> {
    if pem.len() > PEM_BYTES_MAX {
        let cause = format!("it has {} bytes, and at most {PEM_BYTES_MAX} are allowed", pem.len());
        return Err(IdentityError::parse(what, &cause));
    }
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(pem.as_bytes()) {
        let block = block.map_err(|fault| IdentityError::parse(what, &fault))?;
        if block.label == "CERTIFICATE" {
            found.push(block);
        }
    }
    if found.is_empty() {
        return Err(IdentityError::parse(what, &"there is no CERTIFICATE block in it"));
    }
    Ok(found)
}

/// The first certificate in a PEM text.
pub(super) fn first_certificate(pem: &str, what: &'static str) -> Result<Pem, IdentityError> {
    Ok(certificates(pem, what)?.swap_remove(0))
}

/// Parses a PEM block as a certificate, with nothing behind it.
pub(super) fn x509<'a>(pem: &'a Pem, what: &'static str) -> Result<X509Certificate<'a>, IdentityError> {
    let cert = pem.parse_x509().map_err(|fault| IdentityError::parse(what, &fault))?;
    if cert.as_raw().len() != pem.contents.len() {
        return Err(IdentityError::parse(what, &"more bytes follow the certificate in its block"));
    }
    Ok(cert)
}

/// Reads the private key of a `kinfolk ca`. It must be a P-256 key, and the key of `cert`.
pub(super) fn key_of(
    pem: &str,
    cert: &X509Certificate<'_>,
    what: &'static str,
) -> Result<KeyPair, IdentityError> {
    // Leave out the library's error: it could quote the contents of the key file, and an error ends
    // up in a log.
    let key = KeyPair::from_pem(pem)
        .map_err(|_| IdentityError::parse("private key", &"it is not an unencrypted private key in PEM"))?;
    if !key.is_compatible(&PKCS_ECDSA_P256_SHA256) {
        let found = "not the ECDSA P-256 key that `kinfolk ca init` makes".to_owned();
        return Err(IdentityError::WrongKeyKind { what, found });
    }
    if key.der_bytes() != cert.public_key().subject_public_key.data.as_ref() {
        return Err(IdentityError::KeyMismatch { what });
    }
    Ok(key)
}

/// Whether the certificate is the only valid encoding of its parts.
///
/// The authority's signature covers only the inner part, and the parser also accepts other
/// encodings of the rest. So anybody could make certificates with other fingerprints out of one.
/// After this check one such certificate is left: for each ECDSA signature (r, s), (r, n - s) is
/// valid too. It has the same name and the same key.
pub(super) fn is_exact(cert: &X509Certificate<'_>) -> Result<(), IdentityError> {
    let algorithm = CertificateSignature::of(cert)?;
    let signature = element(BIT_STRING, &[&[0], &cert.signature_value.data]);
    let exact = element(SEQUENCE, &[cert.tbs_certificate.as_ref(), algorithm.der, &signature]);
    if cert.as_raw() != exact || cert.tbs_certificate.signature != cert.signature_algorithm {
        return Err(IdentityError::BadDer { cause: "it is not in the only valid encoding".to_owned() });
    }
    Ok(())
}

/// An element of DER: the tag, the length in its shortest form, and the contents, which have less
/// than 64 KiB.
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let len: usize = contents.iter().map(|part| part.len()).sum();
    let [.., high, low] = len.to_be_bytes();
    let mut element = match (high, low) {
        (0, ..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        (_, _) => vec![tag, 0x82, high, low],
    };
    for part in contents {
        element.extend_from_slice(part);
    }
    element
}

/// What the certificate of an authority says about its use.
pub(super) struct AuthorityUse {
    /// How many intermediate authorities may stand below it. `None` for any number.
    pub(super) intermediates_max: Option<u32>,
}

/// Checks that a certificate is an authority's, without an extension that this program ignores.
///
/// Name constraints are refused: the TLS library applies them, and the check of statements would
/// not. So both would disagree about who is a member.
pub(super) fn authority(cert: &X509Certificate<'_>) -> Result<AuthorityUse, IdentityError> {
    let basic = cert.basic_constraints().ok().flatten().filter(|basic| basic.value.ca);
    let basic = basic.ok_or(IdentityError::NotACa)?;
    let unsupported = |what: String| IdentityError::UnsupportedExtension { of: "an authority", what };
    for extension in cert.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) if !usage.key_cert_sign() => return Err(IdentityError::NotACa),
            ParsedExtension::NameConstraints(_) => {
                return Err(unsupported("name constraints".to_owned()));
            }
            _ if may_not_ignore(extension) => {
                return Err(unsupported(format!("the critical extension {}", extension.oid)));
            }
            _ => {}
        }
    }
    Ok(AuthorityUse { intermediates_max: basic.value.path_len_constraint })
}

/// Checks that a certificate is that of a node, and not of an authority, without an extension that
/// this program may not ignore. The TLS library refuses such an extension in each handshake.
pub(super) fn node(cert: &X509Certificate<'_>, name: &PeerName) -> Result<(), IdentityError> {
    if cert.is_ca() {
        return Err(IdentityError::NodeIsCa { name: name.to_string() });
    }
    match cert.extensions().iter().find(|extension| may_not_ignore(extension)) {
        Some(extension) => {
            let what = format!("the critical extension {}", extension.oid);
            Err(IdentityError::UnsupportedExtension { of: "the node", what })
        }
        None => Ok(()),
    }
}

/// Whether an extension is critical, and neither this program nor the TLS library knows it.
fn may_not_ignore(extension: &X509Extension<'_>) -> bool {
    let is_known = matches!(
        extension.parsed_extension(),
        ParsedExtension::BasicConstraints(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::CertificatePolicies(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::AuthorityKeyIdentifier(_)
            | ParsedExtension::SubjectAlternativeName(_)
    );
    extension.critical && !is_known
}

/// Checks that a certificate may be used for TLS in both directions, as the TLS library checks it:
/// a node is a server for some peers and a client for others. `is_node` is false for an
/// intermediate.
pub(super) fn usage(cert: &X509Certificate<'_>, is_node: bool) -> Result<(), IdentityError> {
    let name = || common_name(cert.subject());
    let wrong = |missing: &'static str| Err(IdentityError::WrongUsage { name: name(), missing });
    if let Some(usage) = cert.extended_key_usage().ok().flatten() {
        match (usage.value.server_auth, usage.value.client_auth) {
            (true, true) => {}
            (false, _) => return wrong("serverAuth"),
            (true, false) => return wrong("clientAuth"),
        }
    }
    let usage = cert.key_usage().ok().flatten();
    if is_node && usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return wrong("digitalSignature");
    }
    Ok(())
}

/// The identifier of the certificate's own key.
pub(super) fn subject_key_id<'a>(cert: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    cert.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })
}

/// Whether an authority with this key identifier may have issued `cert`, as far as the identifiers
/// say. They tell two authorities of one name apart.
pub(super) fn may_be_issuer(issuer: Option<&[u8]>, cert: &X509Certificate<'_>) -> bool {
    let named = cert.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    });
    match (issuer, named) {
        (Some(own), Some(named)) => own == named,
        _ => true,
    }
}

/// The common name in a name, or the whole name if there is none. For people alone.
pub(super) fn common_name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|name| name.as_str().ok());
    let text = common.map_or_else(|| name.to_string(), ToOwned::to_owned);
    // A name comes from outside and goes into logs.
    text.chars().filter(|char| !char.is_control()).take(100).collect()
}

/// The first and the last second of the validity, in seconds since the Unix epoch.
pub(super) fn validity(cert: &X509Certificate<'_>) -> (i64, i64) {
    (cert.validity().not_before.timestamp(), cert.validity().not_after.timestamp())
}

/// Whether `now` lies in this validity, both ends included.
pub(super) fn is_current(
    (from, until): (i64, i64),
    name: &str,
    now: OffsetDateTime,
) -> Result<(), IdentityError> {
    let at = now.unix_timestamp();
    if at < from {
        return Err(IdentityError::NotYetValid { name: name.to_owned(), from: utc(from), now: utc(at) });
    }
    if at > until {
        return Err(IdentityError::Expired { name: name.to_owned(), at: utc(until), now: utc(at) });
    }
    Ok(())
}

/// A time in seconds since the Unix epoch as text.
pub(super) fn utc(at: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at) else { return format!("{at} s after 1970") };
    let (date, time) = (at.date(), at.time());
    format!("{date} {:02}:{:02}:{:02} UTC", time.hour(), time.minute(), time.second())
}
