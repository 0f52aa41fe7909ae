//! The checks of a certificate, each a function of plain values. `ca.rs` and `node.rs` decide which
//! checks apply.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;

use super::IdentityError;

/// The first certificate in a PEM text.
pub(super) fn first_certificate(pem: &str, what: &'static str) -> Result<Pem, IdentityError> {
    for block in Pem::iter_from_buffer(pem.as_bytes()) {
        let block = block.map_err(|fault| IdentityError::parse(what, &fault))?;
        if block.label == "CERTIFICATE" {
            return Ok(block);
        }
    }
    Err(IdentityError::parse(what, &"there is no CERTIFICATE block in it"))
}

/// Parses a PEM block as a certificate.
pub(super) fn x509<'a>(pem: &'a Pem, what: &'static str) -> Result<X509Certificate<'a>, IdentityError> {
    pem.parse_x509().map_err(|fault| IdentityError::parse(what, &fault))
}

/// Reads a private key. It must be a P-256 key, and the key of `cert`.
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
        return Err(IdentityError::WrongKeyKind { what });
    }
    if key.der_bytes() != cert.public_key().subject_public_key.data.as_ref() {
        return Err(IdentityError::KeyMismatch { what });
    }
    Ok(key)
}

/// Whether `ca` signed `cert`. The names must match too: TLS finds the issuer by name.
pub(super) fn is_signed_by(cert: &X509Certificate<'_>, ca: &X509Certificate<'_>) -> bool {
    let key =
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, ca.public_key().subject_public_key.data.as_ref());
    cert.issuer() == ca.subject()
        && key.verify(cert.tbs_certificate.as_ref(), &cert.signature_value.data).is_ok()
}

/// Whether `now` lies in the validity of `cert`, both ends included.
pub(super) fn is_current(
    cert: &X509Certificate<'_>,
    name: &str,
    now: OffsetDateTime,
) -> Result<(), IdentityError> {
    let validity = cert.validity();
    let (from, until) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
    if now < from {
        return Err(IdentityError::NotYetValid { name: name.to_owned(), from: utc(from), now: utc(now) });
    }
    if now > until {
        return Err(IdentityError::Expired { name: name.to_owned(), at: utc(until), now: utc(now) });
    }
    Ok(())
}

/// A date and time as text, to the second.
fn utc(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!("{date} {:02}:{:02}:{:02} UTC", time.hour(), time.minute(), time.second())
}
