//! The errors of certificates, keys, and authorities. All concern files or bytes from the caller.
//! When a function returns one, it has changed nothing.

use std::fmt;

use kinfolk_core::ClusterId;
use thiserror::Error;

/// An error in a certificate, a key, or an authority.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is not a valid certificate or key.
    ///
    /// What to do: give the file in PEM, as `kinfolk ca issue` writes it.
    #[error("cannot read the {what}: {cause}; give it in PEM, as `kinfolk ca issue` writes it")]
    Parse {
        /// The part that failed: `certificate`, `private key` or `CA certificate`.
        what: &'static str,
        /// The error text of the parser.
        cause: String,
    },
    /// A node sent bytes that are not a certificate in DER, or not in its only valid encoding.
    ///
    /// What to do: check which program the sender runs. A correct node sends its certificate as its
    /// authority issued it.
    #[error("cannot read the certificate: {cause}; check which program its sender runs")]
    BadDer {
        /// What is wrong with the bytes.
        cause: String,
    },
    /// The key is of an unsupported kind. Kinfolk uses only ECDSA P-256.
    ///
    /// What to do: issue the certificate again with `kinfolk ca issue`.
    #[error("the key of the {what} is not an ECDSA P-256 key; issue the certificate again")]
    WrongKeyKind {
        /// The owner of the key: `node` or `CA`.
        what: &'static str,
    },
    /// The private key does not belong to the certificate.
    ///
    /// What to do: check whether the files of two nodes are mixed up.
    #[error(
        "the private key of the {what} does not belong to its certificate; check whether the files of two nodes are \
         mixed up"
    )]
    KeyMismatch {
        /// The owner of the key: `node` or `CA`.
        what: &'static str,
    },
    /// The given authority did not sign the certificate.
    ///
    /// What to do: use the CA certificate of the node's own cluster, or issue the certificate
    /// again.
    #[error(
        "the certificate of {name} is not signed by this CA; use the CA certificate of its own cluster, or issue it \
         again"
    )]
    WrongCa {
        /// The name in the certificate.
        name: String,
    },
    /// The CA certificate is not a certificate of an authority.
    ///
    /// What to do: give the file that `kinfolk ca init` wrote.
    #[error(
        "the CA certificate is not a certificate of an authority; give the file that `kinfolk ca init` wrote"
    )]
    NotACa,
    /// The certificate does not have exactly one alternative name.
    ///
    /// What to do: issue it again with `kinfolk ca issue`.
    #[error(
        "the certificate has {found} alternative names; it must have exactly one, a DNS name \
         <node>.<cluster>.kinfolk; issue it again with `kinfolk ca issue`"
    )]
    NameCount {
        /// The number of its alternative names, of any kind.
        found: usize,
    },
    /// The name in the certificate is not a node's name.
    ///
    /// What to do: issue the certificate again with `kinfolk ca issue`.
    #[error("{found:?} is not a name of a node; it must be <node>.<cluster>.kinfolk, in lower case")]
    BadName {
        /// The name in the certificate.
        found: String,
    },
    /// The certificate and its authority name different clusters.
    ///
    /// What to do: issue the certificate with the CA of its cluster, or give the other CA
    /// certificate.
    #[error(
        "the certificate is for cluster {found}, its CA for cluster {expected}; issue it with the CA of {found}"
    )]
    WrongCluster {
        /// The cluster of the authority.
        expected: ClusterId,
        /// The cluster of the certificate.
        found: ClusterId,
    },
    /// The certificate is not valid yet.
    ///
    /// What to do: check this machine's clock.
    #[error(
        "the certificate of {name} is valid only from {from}, and it is {now} now; check this machine's clock"
    )]
    NotYetValid {
        /// The name in the certificate.
        name: String,
        /// The first second of its validity (UTC).
        from: String,
        /// The time of the check (UTC).
        now: String,
    },
    /// The certificate has expired.
    ///
    /// What to do: issue a new one with `kinfolk ca issue`. If it should be valid, check this
    /// machine's clock.
    #[error(
        "the certificate of {name} expired at {at}, and it is {now} now; issue a new one with `kinfolk ca issue`"
    )]
    Expired {
        /// The name in the certificate.
        name: String,
        /// The last second of its validity (UTC).
        at: String,
        /// The time of the check (UTC).
        now: String,
    },
    /// The cryptographic library cannot create or sign a certificate.
    ///
    /// What to do: check that the system has entropy, then try again.
    #[error("cannot create the certificate: {cause}; check that the system has entropy, then try again")]
    Make {
        /// The error text of the cryptographic library.
        cause: String,
    },
}

impl IdentityError {
    /// A [`Parse`](Self::Parse) with the error text of the parser.
    pub(crate) fn parse(what: &'static str, cause: &dyn fmt::Display) -> Self {
        Self::Parse { what, cause: cause.to_string() }
    }

    /// A [`Make`](Self::Make) with the error text of the library.
    pub(crate) fn make(cause: &dyn fmt::Display) -> Self {
        Self::Make { cause: cause.to_string() }
    }
}
