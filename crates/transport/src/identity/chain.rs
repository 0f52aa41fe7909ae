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

/// A certificate that the search has reached.
#[derive(Clone, Copy)]
struct Step {
    /// Its position in the list. `None` for the node's own.
    at: Option<usize>,
    /// The step from which it was reached, as a position.
    from: usize,
    /// How many intermediates stand below it.
    depth: usize,
}

/// Finds the shortest path from `leaf` over some of the `intermediates`, in any order, to an
/// authority of the bundle. `None` if there is none. Where several authorities may follow, because
/// one was renewed or another one has certified the same key, it tries the one that is valid for
/// longest first, and the others after it.
///
/// Bounded: it reaches each certificate once, and then looks at each of the others once. The first
/// time has the fewest intermediates below, so no limit of a path allows more the second time.
pub(super) fn path(
    leaf: &X509Certificate<'_>,
    intermediates: &[&X509Certificate<'_>],
    trust: &TrustBundle,
) -> Option<Path> {
    let until = |at: usize| check::validity(intermediates[at]).1;
    let mut steps = vec![Step { at: None, from: 0, depth: 0 }];
    let mut looked_at = 0;
    while let Some(step) = steps.get(looked_at).copied() {
        let current = step.at.map_or(leaf, |at| intermediates[at]);
        // The certificates of authorities up to the present one, which stand below the next.
        let depth = step.depth + usize::from(step.at.is_some());
        if let Some(anchor) = trust.issuer_of(current, depth) {
            let on_path = on_path(&steps, looked_at);
            let of_path = on_path.iter().map(|at| check::validity(intermediates[*at]));
            let validity = of_path.fold(both(check::validity(leaf), anchor.validity), both);
            return Some(Path { intermediates: on_path, validity, authority_until: anchor.validity.1 });
        }
        if depth < INTERMEDIATES_MAX {
            let is_new = |at: &usize| steps.iter().all(|known| known.at != Some(*at));
            let issued = |at: &usize| has_issued(intermediates[*at], current, depth);
            let mut next: Vec<usize> = (0..intermediates.len()).filter(is_new).filter(issued).collect();
            next.sort_by_key(|at| std::cmp::Reverse(until(*at)));
            steps.extend(next.into_iter().map(|at| Step { at: Some(at), from: looked_at, depth }));
        }
        looked_at += 1;
    }
    None
}

/// The positions of the intermediates from the node's issuer up to this step.
fn on_path(steps: &[Step], last: usize) -> Vec<usize> {
    let before = |step: &usize| steps[*step].at.map(|_| steps[*step].from);
    let mut on_path: Vec<usize> =
        std::iter::successors(Some(last), before).filter_map(|step| steps[step].at).collect();
    on_path.reverse();
    on_path
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
