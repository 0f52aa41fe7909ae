//! The name of a member ([`NodeId`]) and its address ([`NodeAddr`]). An address may change. Only
//! the name identifies a member, because a certificate binds it.

use std::borrow::Borrow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::NameError;

/// The longest name of a node or cluster, in characters: the limit of a DNS label (RFC 1035,
/// section 2.3.4).
pub const NAME_LEN_MAX: usize = 63;

/// The name of a member: a DNS label in lower case.
///
/// 1 to 63 characters: `a-z`, `0-9` and `-`, not beginning or ending with `-`. The member's
/// certificate contains the name as `<node>.<cluster>.kinfolk`, so it must be a DNS label. Cloning
/// is cheap (one reference count).
///
/// # Examples
/// ```
/// use kinfolk_core::NodeId;
/// let id: NodeId = "db-1".parse()?;
/// assert_eq!(id.as_str(), "db-1");
/// assert!("db_1".parse::<NodeId>().is_err());
/// # Ok::<(), kinfolk_core::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// Makes an id of `name`, after checking it.
    ///
    /// # Errors
    /// [`NameError`] if `name` is not a DNS label in lower case. Nothing is trimmed or folded.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check_label(name)?;
        Ok(Self(Arc::from(name)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks that `name` is a DNS label in lower case.
///
/// # Errors
/// [`NameError`], which says what is wrong with the name.
pub(crate) fn check_label(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_LEN_MAX {
        return Err(NameError::TooLong { len: name.len() });
    }
    if let Some(found) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(NameError::BadCharacter { name: name.to_owned(), found });
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(NameError::HyphenAtEdge { name: name.to_owned() });
    }
    Ok(())
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

// Both are written by hand, so that encoding and decoding do not copy the name first.
impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = NodeId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a node")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<NodeId, E> {
                NodeId::new(name).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Name)
    }
}

impl FromStr for NodeId {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<String> for NodeId {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(&name)
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl AsRef<str> for NodeId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for NodeId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The address at which a member listens, as the member advertises it: an IP address (v4 or v6) and
/// a UDP port.
///
/// Other members dial this address. It does not identify a member: a member dials from another port
/// than the one at which it listens, so the source address of a packet proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeAddr(SocketAddr);

impl NodeAddr {
    /// Wraps a socket address.
    pub const fn new(addr: SocketAddr) -> Self {
        Self(addr)
    }

    /// The socket address.
    pub const fn socket(self) -> SocketAddr {
        self.0
    }

    /// Whether another member could dial it: neither port 0 nor an unspecified address (`0.0.0.0`,
    /// `::`).
    pub fn is_dialable(self) -> bool {
        let unspecified = match self.0.ip() {
            IpAddr::V4(ip) => ip.is_unspecified(),
            IpAddr::V6(ip) => ip.is_unspecified(),
        };
        self.0.port() != 0 && !unspecified
    }
}

impl From<SocketAddr> for NodeAddr {
    fn from(addr: SocketAddr) -> Self {
        Self(addr)
    }
}

impl fmt::Display for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_longer_than_63_characters_is_refused() {
        assert!(NodeId::new(&"a".repeat(NAME_LEN_MAX)).is_ok());
        assert_eq!(NodeId::new(&"a".repeat(NAME_LEN_MAX + 1)), Err(NameError::TooLong { len: 64 }));
    }

    #[test]
    fn invalid_dns_label_is_refused() {
        for name in ["", "A", "a.b", "a_b", "-a", "a-", "a b", "é"] {
            assert!(NodeId::new(name).is_err(), "{name:?} was taken");
        }
        for name in ["a", "0", "a-b", "node-17"] {
            assert!(NodeId::new(name).is_ok(), "{name:?} was refused");
        }
    }

    #[test]
    fn invalid_name_is_refused_when_decoded() {
        let bytes = postcard::to_stdvec("Not A Label").unwrap();
        assert!(postcard::from_bytes::<NodeId>(&bytes).is_err());
    }

    #[test]
    fn name_has_one_text_in_every_conversion() {
        let id: NodeId = "db-1".parse().unwrap();
        assert_eq!((id.as_str(), id.as_ref(), String::from(id.clone())), ("db-1", "db-1", "db-1".to_owned()));
        assert_eq!((format!("{id:>6}"), format!("{id:?}")), ("  db-1".to_owned(), "db-1".to_owned()));
        assert_eq!(
            (Borrow::<str>::borrow(&id), NodeId::try_from("db-1".to_owned())),
            ("db-1", Ok(id.clone()))
        );
    }

    #[test]
    fn address_prints_as_its_socket_address() {
        let socket: SocketAddr = "[::1]:7000".parse().unwrap();
        let addr = NodeAddr::from(socket);
        assert_eq!(
            (addr.socket(), addr.to_string(), format!("{addr:?}")),
            (socket, socket.to_string(), socket.to_string())
        );
    }

    #[test]
    fn number_is_refused_as_a_name() {
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, U32Deserializer};
        let number: U32Deserializer<Error> = 5_u32.into_deserializer();
        let text = NodeId::deserialize(number).unwrap_err().to_string();
        assert_eq!(text, "invalid type: integer `5`, expected the name of a node");
    }

    #[test]
    fn unspecified_address_or_port_is_not_dialable() {
        let dialable = |text: &str| NodeAddr::new(text.parse().unwrap()).is_dialable();
        assert!(dialable("127.0.0.1:1") && dialable("[::1]:1"));
        assert!(!dialable("127.0.0.1:0") && !dialable("0.0.0.0:1") && !dialable("[::]:1"));
    }
}
