//! The name of the cluster that a member belongs to. Every certificate contains it, so two clusters
//! cannot merge by accident, even if they share addresses.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::NameError;
use crate::node::check_label;

/// The name of a cluster: a DNS label in lower case, under the same rules as a
/// [`NodeId`](crate::NodeId).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(Arc<str>);

impl ClusterId {
    /// Makes an id of `name`, after checking it.
    ///
    /// # Errors
    /// [`NameError`] if `name` is not a DNS label in lower case.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check_label(name)?;
        Ok(Self(Arc::from(name)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` honours a width, so that names can be printed in columns.
        f.pad(&self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ClusterId {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<String> for ClusterId {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(&name)
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> Self {
        id.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_has_one_text_in_every_conversion() {
        let id: ClusterId = "shop".parse().unwrap();
        assert_eq!((id.as_str(), String::from(id.clone())), ("shop", "shop".to_owned()));
        assert_eq!((format!("{id:>6}"), format!("{id:?}")), ("  shop".to_owned(), "shop".to_owned()));
        assert_eq!(ClusterId::try_from("shop".to_owned()), Ok(id));
    }

    #[test]
    fn invalid_label_is_refused_by_every_constructor() {
        assert!(ClusterId::new("a.b").is_err() && "a.b".parse::<ClusterId>().is_err());
        assert!(ClusterId::try_from("a.b".to_owned()).is_err());
    }
}
