//! What can be wrong with a certificate, a key or an authority. All of it concerns files or bytes that the caller gave;
//! nothing has been changed when one is returned.

use std::fmt;

use kinfolk_core::ClusterId;
use thiserror::Error;

/// A fault of a certificate, a key or an authority.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is not what it should be.
    #[error("the {what} cannot be read ({cause}): give it in PEM, as `kinfolk ca issue` writes it")]
    Parse {
        /// Which part: certificate, key or CA certificate.
        what: &'static str,
        /// What the parser says.
        cause: String,
    },
    /// The key is of a kind that is not used here.
    #[error("the {what} is no ECDSA P-256 key: only P-256 is used; issue the certificate again")]
    WrongKeyKind {
        /// Whose key.
        what: &'static str,
    },
    /// The key does not belong to the certificate.
    #[error(
        "the {what}'s private key is not the one of its certificate: the files of two nodes may be mixed up"
    )]
    KeyMismatch {
        /// Whose key.
        what: &'static str,
    },
    /// The certificate was not signed by the given authority.
    #[error(
        "the certificate of {name} is not signed by this CA: use the CA certificate of its own cluster, or issue it again"
    )]
    WrongCa {
        /// The name in the certificate.
        name: String,
    },
    /// The certificate that should be an authority's is not one.
    #[error(
        "the CA certificate is no certificate of an authority: give the file that `kinfolk ca init` wrote"
    )]
    NotACa,
    /// The certificate does not have exactly one name.
    #[error(
        "the certificate has {found} alternative names: it must have exactly one, a DNS name <node>.<cluster>.kinfolk"
    )]
    NameCount {
        /// How many it has, of any kind.
        found: usize,
    },
    /// The certificate's name has another form.
    #[error("{found:?} is no name of a node: it must be <node>.<cluster>.kinfolk, in lower case")]
    BadName {
        /// The name found.
        found: String,
    },
    /// The certificate names another cluster than its authority.
    #[error(
        "the certificate is for cluster {found}, its CA for cluster {expected}: issue it with the CA of {found}"
    )]
    WrongCluster {
        /// The authority's cluster.
        expected: ClusterId,
        /// The certificate's cluster.
        found: ClusterId,
    },
    /// The certificate's time has not come.
    #[error(
        "the certificate of {name} is valid from {from} only, and it is {now}: check this machine's clock"
    )]
    NotYetValid {
        /// The name in the certificate.
        name: String,
        /// The first second of its validity (UTC).
        from: String,
        /// The time of the check (UTC).
        now: String,
    },
    /// The certificate's time is over.
    #[error(
        "the certificate of {name} expired at {at}, and it is {now}: issue a new one with `kinfolk ca issue`"
    )]
    Expired {
        /// The name in the certificate.
        name: String,
        /// The last second of its validity (UTC).
        at: String,
        /// The time of the check (UTC).
        now: String,
    },
    /// A certificate could not be made.
    #[error("the certificate cannot be made ({cause})")]
    Make {
        /// What the cryptographic library says.
        cause: String,
    },
}

impl IdentityError {
    /// A [`Parse`](Self::Parse) with the parser's own words.
    pub(crate) fn parse(what: &'static str, cause: &dyn fmt::Display) -> Self {
        Self::Parse { what, cause: cause.to_string() }
    }

    /// A [`Make`](Self::Make) with the library's own words.
    pub(crate) fn make(cause: &dyn fmt::Display) -> Self {
        Self::Make { cause: cause.to_string() }
    }
}
