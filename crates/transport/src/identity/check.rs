//! The checks of a certificate, each a function of plain values. `ca.rs` and `node.rs` decide which
//! checks apply.

use aws_lc_rs::signature::{EcdsaVerificationAlgorithm, ParsedPublicKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use super::IdentityError;

/// The longest certificate in DER, in bytes. One of this crate has fewer than 600. A stranger may
/// send any bytes, so the parser gets no more than this.
pub(super) const DER_BYTES_MAX: usize = 8 * 1024;

// The tags of DER (X.690).
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The algorithm `ecdsa-with-SHA256` in DER (RFC 5758, section 3.2).
const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

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

/// Whether these bytes are short enough for a certificate.
pub(super) fn is_short(der: &[u8]) -> Result<(), IdentityError> {
    if der.len() > DER_BYTES_MAX {
        let cause = format!("it has {} bytes, and at most {DER_BYTES_MAX} are allowed", der.len());
        return Err(IdentityError::BadDer { cause });
    }
    Ok(())
}

/// Parses the bytes of a certificate, as a peer sends them.
pub(super) fn der(der: &[u8]) -> Result<X509Certificate<'_>, IdentityError> {
    is_short(der)?;
    let (rest, cert) =
        X509Certificate::from_der(der).map_err(|fault| IdentityError::BadDer { cause: fault.to_string() })?;
    if !rest.is_empty() {
        return Err(IdentityError::BadDer { cause: format!("{} more bytes follow it", rest.len()) });
    }
    Ok(cert)
}

/// Whether the certificate is the only valid encoding of its parts.
///
/// The authority's signature covers only the inner part, and the parser also accepts other
/// encodings of the rest. So anybody could make certificates with other fingerprints out of one.
/// After this check one such certificate is left: for each ECDSA signature (r, s), (r, n - s) is
/// valid too. It has the same name and the same key.
pub(super) fn is_exact(cert: &X509Certificate<'_>) -> Result<(), IdentityError> {
    let signature = element(BIT_STRING, &[&[0], &cert.signature_value.data]);
    let exact = element(SEQUENCE, &[cert.tbs_certificate.as_ref(), ECDSA_WITH_SHA256, &signature]);
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

/// The public key of a certificate. It must be a P-256 key.
pub(super) fn public_key(
    cert: &X509Certificate<'_>,
    algorithm: &'static EcdsaVerificationAlgorithm,
    what: &'static str,
) -> Result<ParsedPublicKey, IdentityError> {
    // The whole element and not only the point in it, so that the library checks the curve.
    ParsedPublicKey::new(algorithm, cert.public_key().raw).map_err(|_| IdentityError::WrongKeyKind { what })
}

/// Whether this key signed `cert`.
pub(super) fn is_signed_with(cert: &X509Certificate<'_>, key: &ParsedPublicKey) -> bool {
    key.verify_sig(cert.tbs_certificate.as_ref(), &cert.signature_value.data).is_ok()
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
