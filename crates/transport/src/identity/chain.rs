//! The path from a node's certificate to an authority that this node trusts.
//!
//! ```text
//!   leaf ── signed by ──> intermediate ── signed by ──> ... ── signed by ──> one of the bundle
//! ```
//!
//! A certificate travels with its intermediates, so that each member can verify it alone. As bytes
//! it is the certificates in DER, one after the other, the node's own first.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::keys::{KeyKind, PublicKey};
use super::trust::TrustBundle;
use super::{IdentityError, check};

/// How many intermediate authorities may stand between a node and a trusted one. Companies have one
/// or two.
pub(super) const INTERMEDIATES_MAX: usize = 4;
/// The most bytes of a certificate with its intermediates. With RSA keys of 4,096 bits each of the
/// five has about 2 KiB.
pub(super) const CHAIN_BYTES_MAX: usize = 16 * 1024;

/// A verified path.
pub(super) struct Path {
    /// The intermediates on it, from the node's issuer on, as positions in the given list.
    pub(super) intermediates: Vec<usize>,
    /// The time in which all certificates on it are valid: the first and the last second.
    pub(super) validity: (i64, i64),
    /// The last second of the authority.
    pub(super) authority_until: i64,
}

/// Whether these bytes are short enough for a certificate with its intermediates.
pub(super) fn is_short(bytes: &[u8]) -> Result<(), IdentityError> {
    if bytes.len() > CHAIN_BYTES_MAX {
        let cause = format!("it has {} bytes, and at most {CHAIN_BYTES_MAX} are allowed", bytes.len());
        return Err(IdentityError::BadDer { cause });
    }
    Ok(())
}

/// Parses the bytes of a certificate and its intermediates.
pub(super) fn split(bytes: &[u8]) -> Result<Vec<(X509Certificate<'_>, &[u8])>, IdentityError> {
    is_short(bytes)?;
    let bad = |cause: String| IdentityError::BadDer { cause };
    let mut certs = Vec::with_capacity(1);
    let mut left = bytes;
    while !left.is_empty() || certs.is_empty() {
        // One more than the intermediates: TLS also gives the authority itself.
        if certs.len() > INTERMEDIATES_MAX + 1 {
            return Err(bad(format!("more than {} certificates follow it", INTERMEDIATES_MAX + 1)));
        }
        let (rest, cert) = match X509Certificate::from_der(left) {
            Ok(parsed) => parsed,
            Err(_) if !certs.is_empty() => return Err(bad(format!("{} more bytes follow it", left.len()))),
            Err(fault) => return Err(bad(fault.to_string())),
        };
        let (der, _) = left.split_at(left.len() - rest.len());
        certs.push((cert, der));
        left = rest;
    }
    Ok(certs)
}

/// Finds the path from `leaf` over some of the `intermediates`, in any order, to an authority of
/// the bundle. `None` if there is none.
///
/// Bounded by the limits of both lists: at each step it looks at each certificate once.
pub(super) fn path(
    leaf: &X509Certificate<'_>,
    intermediates: &[&X509Certificate<'_>],
    trust: &TrustBundle,
) -> Option<Path> {
    let (mut on_path, mut validity) = (Vec::new(), check::validity(leaf));
    let mut current = leaf;
    loop {
        if let Some(anchor) = trust.issuer_of(current, on_path.len()) {
            let authority_until = anchor.validity.1;
            let validity = both(validity, anchor.validity);
            return Some(Path { intermediates: on_path, validity, authority_until });
        }
        if on_path.len() >= INTERMEDIATES_MAX {
            return None;
        }
        let issued =
            |at: &usize| !on_path.contains(at) && has_issued(intermediates[*at], current, on_path.len());
        let next = (0..intermediates.len()).find(issued)?;
        on_path.push(next);
        current = intermediates[next];
        validity = both(validity, check::validity(current));
    }
}

/// Whether `issuer` is an authority that signed `cert`, below which `depth` intermediates stand.
fn has_issued(issuer: &X509Certificate<'_>, cert: &X509Certificate<'_>, depth: usize) -> bool {
    if issuer.subject().as_raw() != cert.issuer().as_raw()
        || !check::may_be_issuer(check::subject_key_id(issuer), cert)
    {
        return false;
    }
    let allowed = check::authority(issuer)
        .is_ok_and(|authority| authority.intermediates_max.is_none_or(|max| depth <= max as usize));
    allowed
        && KeyKind::of_authority(issuer)
            .is_ok_and(|kind| PublicKey::of_certificate(kind, issuer).has_signed(cert))
}

/// The time that lies in both.
fn both(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.max(other.0), one.1.min(other.1))
}
