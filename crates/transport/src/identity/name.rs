//! The name in a certificate, `<node>.<cluster>.kinfolk`, and how to read it from the certificate's
//! subject alternative name (SAN).

use std::fmt;
use std::str::FromStr;

use kinfolk_core::{ClusterId, NodeId};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::IdentityError;

/// The last label of every name.
const ROOT: &str = "kinfolk";

/// The full name of a node: the node and its cluster. A certificate contains it as a DNS name,
/// `<node>.<cluster>.kinfolk`.
///
/// # Examples
/// ```
/// use kinfolk_transport::PeerName;
/// let name: PeerName = "db-1.prod.kinfolk".parse()?;
/// assert_eq!((name.node.as_str(), name.cluster.as_str()), ("db-1", "prod"));
/// # Ok::<(), kinfolk_transport::IdentityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName {
    /// The node.
    pub node: NodeId,
    /// The cluster of the node.
    pub cluster: ClusterId,
}

impl PeerName {
    /// Creates a name from a node and its cluster.
    pub const fn new(node: NodeId, cluster: ClusterId) -> Self {
        Self { node, cluster }
    }

    /// Reads the name from a certificate. Exactly one of its DNS names must be of this form. Other
    /// names do not matter: a company's authority may add them.
    ///
    /// With two names, one connection would stand for two nodes, and the sender of a message would
    /// be open.
    pub(crate) fn of_certificate(cert: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        let san =
            cert.subject_alternative_name().map_err(|fault| IdentityError::parse("certificate", &fault))?;
        let names = san.map_or(&[][..], |san| san.value.general_names.as_slice());
        // With a single name its own error says more than that there is none.
        if let [GeneralName::DNSName(name)] = names {
            return name.parse();
        }
        let mut found: Vec<Self> = Vec::new();
        for name in names {
            if let GeneralName::DNSName(name) = name
                && let Ok(name) = name.parse()
                && !found.contains(&name)
            {
                found.push(name);
            }
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            found => Err(IdentityError::NameCount { found }),
        }
    }
}

/// The end of every name of `cluster`: `.<cluster>.kinfolk`.
pub(crate) fn name_suffix(cluster: &ClusterId) -> String {
    format!(".{cluster}.{ROOT}")
}

/// The name of the cluster as a whole. The certificate of the authority contains it. A dial asks
/// for it while the node's name is unknown, as with a seed.
pub(crate) fn cluster_name(cluster: &ClusterId) -> String {
    format!("{cluster}.{ROOT}")
}

/// Reads the cluster from its [`cluster_name`].
pub(crate) fn parse_cluster(text: &str) -> Result<ClusterId, IdentityError> {
    let label = text.strip_suffix(ROOT).and_then(|rest| rest.strip_suffix('.'));
    let label = label.ok_or_else(|| IdentityError::BadName { found: text.to_owned() })?;
    ClusterId::new(label).map_err(|_| IdentityError::BadName { found: text.to_owned() })
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{ROOT}", self.node, self.cluster)
    }
}

impl FromStr for PeerName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bad = || IdentityError::BadName { found: text.to_owned() };
        let (node, rest) = text.split_once('.').ok_or_else(bad)?;
        let node = NodeId::new(node).map_err(|_| bad())?;
        let cluster = parse_cluster(rest).map_err(|_| bad())?;
        Ok(Self { node, cluster })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_reads_back() {
        let name = PeerName::new(NodeId::new("a-1").unwrap(), ClusterId::new("c").unwrap());
        assert_eq!(name.to_string(), "a-1.c.kinfolk");
        assert_eq!(name.to_string().parse::<PeerName>().unwrap(), name);
        assert!(name.to_string().ends_with(&name_suffix(&name.cluster)));
    }

    #[test]
    fn invalid_name_is_refused() {
        for text in [
            "",
            "kinfolk",
            "c.kinfolk",
            "a.b.c.kinfolk",
            "a.c.kin",
            "A.c.kinfolk",
            "a.c.kinfolk.",
            ".c.kinfolk",
        ] {
            assert!(text.parse::<PeerName>().is_err(), "{text:?} was taken");
        }
    }
}
