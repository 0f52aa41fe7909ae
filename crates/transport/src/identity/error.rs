//! The errors of certificates, keys, and authorities. All concern files or bytes from the caller.
//! When a function returns one, it has changed nothing.

use std::fmt;

use kinfolk_core::ClusterId;
use thiserror::Error;
use x509_parser::certificate::X509Certificate;

use super::{PeerName, check};

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
    /// The key is of an unsupported kind.
    ///
    /// What to do: issue the certificate again with `kinfolk ca issue`, or with a key of one of the
    /// named kinds.
    #[error(
        "the key of the {what} is {found}; use ECDSA P-256, ECDSA P-384, or RSA of 2,048 to 4,096 bits, and issue the \
         certificate again"
    )]
    WrongKeyKind {
        /// The owner of the key: `node` or `CA`.
        what: &'static str,
        /// The kind of the key.
        found: String,
    },
    /// The certificate is signed with an unsupported algorithm.
    ///
    /// What to do: let the authority sign with ECDSA or RSA (PKCS #1 1.5), and SHA-256, SHA-384, or
    /// SHA-512.
    #[error(
        "the certificate is signed with the algorithm {found}; let its authority sign with ECDSA or RSA (PKCS #1 1.5) \
         and SHA-256, SHA-384, or SHA-512"
    )]
    WrongSignatureKind {
        /// The number (OID) of the algorithm.
        found: String,
    },
    /// A certificate has an extension that this program does not apply, and may not ignore.
    ///
    /// What to do: use a certificate without it.
    #[error("the certificate of {of} has {what}, which this program does not apply; use one without it")]
    UnsupportedExtension {
        /// Whose certificate: `an authority` or `the node`.
        of: &'static str,
        /// The extension.
        what: String,
    },
    /// The certificate of a node is that of an authority. Who has the key of this one node could
    /// issue certificates with the names of others.
    ///
    /// What to do: issue it without the constraint `CA`.
    #[error(
        "the certificate of {name} is an authority's, so its key could issue certificates of other nodes; issue it \
         without the constraint CA"
    )]
    NodeIsCa {
        /// The name in the certificate.
        name: String,
    },
    /// The certificate may not be used for TLS as a client and as a server. A node needs both.
    ///
    /// What to do: issue it with the key usage `digitalSignature` and the extended key usages
    /// `serverAuth` and `clientAuth`, or without these extensions.
    #[error(
        "the certificate {name:?} lacks the usage {missing}; issue it with the key usage digitalSignature and the \
         extended key usages serverAuth and clientAuth"
    )]
    WrongUsage {
        /// The common name in the certificate.
        name: String,
        /// The usage that is missing.
        missing: &'static str,
    },
    /// A file has too many certificates.
    ///
    /// What to do: leave out those that are not needed.
    #[error(
        "the {what} has {found} certificates, and at most {max} are allowed; leave out those that are not needed"
    )]
    TooMany {
        /// `certificate file` or `CA file`.
        what: &'static str,
        /// The number of certificates in it.
        found: usize,
        /// The highest number.
        max: usize,
    },
    /// The private key does not belong to the certificate.
    ///
    /// What to do: check whether the files of two nodes, or of two authorities, are mixed up.
    #[error(
        "the private key of the {what} does not belong to its certificate; check whether two files are mixed up"
    )]
    KeyMismatch {
        /// The owner of the key: `node` or `CA`.
        what: &'static str,
    },
    /// None of the given authorities signed the certificate, directly or through the given
    /// intermediates.
    ///
    /// What to do: use the CA certificate of the node's own cluster, add the missing intermediate
    /// to the certificate file, or issue the certificate again.
    #[error(
        "the certificate of {name} is not signed by this CA; its issuer is {issuer:?}; use the CA certificate of its \
         own cluster, add the intermediate of this name to the certificate file, or issue it again"
    )]
    WrongCa {
        /// The name in the certificate.
        name: String,
        /// The name of its issuer, as the certificate states it.
        issuer: String,
    },
    /// A certificate that should be an authority's is not one: it lacks the constraint `CA`, or may
    /// not sign certificates.
    ///
    /// What to do: give the file that `kinfolk ca init` wrote, or that of your own authority.
    #[error(
        "the CA certificate is not a certificate of an authority; give the file that `kinfolk ca init` wrote"
    )]
    NotACa,
    /// Not exactly one of the certificate's alternative names is the name of a node.
    ///
    /// What to do: issue it again with `kinfolk ca issue`, or add the name.
    #[error(
        "the certificate has {found} names of the form <node>.<cluster>.kinfolk; exactly one of its DNS names must \
         be one; issue it again with `kinfolk ca issue`"
    )]
    NameCount {
        /// The number of its names of that form.
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
    /// The text is not a revocation.
    ///
    /// What to do: give the file that `kinfolk ca revoke` wrote.
    #[error("cannot read the revocation: {cause}; give the file that `kinfolk ca revoke` wrote")]
    BadRevocation {
        /// What is wrong with the text.
        cause: String,
    },
    /// No authority that this node trusts signed the revocation. Nothing has changed.
    ///
    /// What to do: revoke with the authority of this cluster.
    #[error("the revocation is not signed by an authority of this cluster: {cause}")]
    UntrustedRevocation {
        /// Why its signature does not count.
        cause: String,
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

    /// A [`WrongCa`](Self::WrongCa) for the certificate of `name`.
    pub(super) fn wrong_ca(name: &PeerName, cert: &X509Certificate<'_>) -> Self {
        Self::WrongCa { name: name.to_string(), issuer: check::common_name(cert.issuer()) }
    }

    /// A [`Make`](Self::Make) with the error text of the library.
    pub(crate) fn make(cause: &dyn fmt::Display) -> Self {
        Self::Make { cause: cause.to_string() }
    }
}
