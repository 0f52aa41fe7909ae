//! What a member offers and how well it is: its own word, which travels with its address and tags.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{NameError, OfferError};
use crate::node::check_label;
use crate::tags::Tags;

/// The name of a service: a DNS label in lower case, as the name of a [node](crate::NodeId).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// Checks `name` and makes it the name of a service.
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

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ServiceName {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(&name)
    }
}

impl std::borrow::Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The share of the requests that an instance takes, relative to the other instances: 1 to 1,000.
/// Default 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct Weight(u16);

impl Weight {
    /// The smallest weight.
    pub const MIN: Self = Self(1);
    /// The largest weight. It is bounded so that the sum of all weights of a cluster fits in 32
    /// bits.
    pub const MAX: Self = Self(1_000);

    /// A weight; `None` if it is not in 1 to 1,000.
    pub const fn new(weight: u16) -> Option<Self> {
        if weight >= Self::MIN.0 && weight <= Self::MAX.0 { Some(Self(weight)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u16> for Weight {
    type Error = OfferError;
    fn try_from(weight: u16) -> Result<Self, OfferError> {
        Self::new(weight).ok_or(OfferError::Weight { found: weight })
    }
}

/// How well a member or a service is, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It works.
    #[default]
    Passing,
    /// It works, but an operator should check it. It is chosen like a passing one.
    Warning,
    /// It does not work. It is chosen only when too few others are well.
    Critical,
    /// It is out of service as planned. It is never chosen.
    Maintenance,
}

impl Health {
    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a member or a service has its health: one short line of text. At most
/// [`BYTES_MAX`](Self::BYTES_MAX) bytes; a longer one is cut at a character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(from = "String")]
pub struct Note(Option<Arc<str>>);

impl Note {
    /// The longest note in bytes: it travels with every statement of the member.
    pub const BYTES_MAX: usize = 120;

    /// A note with this text. Line breaks become spaces.
    pub fn new(text: &str) -> Self {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = (0..=words.len().min(Self::BYTES_MAX)).rev().find(|at| words.is_char_boundary(*at));
        let text = &words[..end.unwrap_or(0)];
        Self((!text.is_empty()).then(|| Arc::from(text)))
    }

    /// The text, which may be empty.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

/// What a member says of its own health, or of that of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It works.
    #[default]
    Passing,
    /// It works, but an operator should check it.
    Warning(Note),
    /// It does not work.
    Critical(Note),
    /// It is out of service as planned, for at most so many seconds.
    ///
    /// Each member counts them from when it learns of the statement. A statement about the member
    /// itself has one more effect: within this time the member is not declared failed, even if it
    /// is silent.
    Maintenance {
        /// For how many seconds.
        seconds: u32,
        /// Why.
        note: Note,
    },
}

impl Condition {
    /// The longest maintenance: 24 hours. A member that is silent for longer should leave.
    pub const MAINTENANCE_MAX: Duration = Duration::from_hours(24);

    /// It works, but an operator should check it.
    pub fn warning(note: &str) -> Self {
        Self::Warning(Note::new(note))
    }

    /// It does not work.
    pub fn critical(note: &str) -> Self {
        Self::Critical(Note::new(note))
    }

    /// It is out of service as planned, for at most this long; part of a second counts as a second,
    /// and more than [`MAINTENANCE_MAX`](Self::MAINTENANCE_MAX) as that.
    pub fn maintenance(length: Duration, note: &str) -> Self {
        let length = length.min(Self::MAINTENANCE_MAX);
        let seconds = length.as_secs() + u64::from(length.subsec_nanos() > 0);
        Self::Maintenance { seconds: u32::try_from(seconds).unwrap_or(u32::MAX), note: Note::new(note) }
    }

    /// The health that it stands for.
    pub const fn health(&self) -> Health {
        match self {
            Self::Passing => Health::Passing,
            Self::Warning(_) => Health::Warning,
            Self::Critical(_) => Health::Critical,
            Self::Maintenance { .. } => Health::Maintenance,
        }
    }

    /// Why, which may be empty.
    pub fn note(&self) -> &str {
        match self {
            Self::Passing => "",
            Self::Warning(note) | Self::Critical(note) | Self::Maintenance { note, .. } => note.as_str(),
        }
    }

    /// For how long the maintenance lasts; `None` without one.
    pub fn maintenance_length(&self) -> Option<Duration> {
        match self {
            Self::Maintenance { seconds, .. } => {
                Some(Duration::from_secs((*seconds).into()).min(Self::MAINTENANCE_MAX))
            }
            _ => None,
        }
    }
}

/// A service that a member offers: where, how much of the load it takes, and how well it is.
///
/// # Examples
/// ```
/// use kinfolk_core::{Condition, Service, Tags, Weight};
/// let service = Service::new(5432)
///     .with_weight(Weight::new(200).unwrap())
///     .with_meta(Tags::new([("version", "17")])?)
///     .with_condition(Condition::warning("disk is 90 % full"));
/// assert_eq!(service.port, 5432);
/// # Ok::<(), kinfolk_core::TagsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service {
    /// The port at the member's address; 0 for a service that is reached through the cluster's own
    /// streams.
    pub port: u16,
    /// Its weight.
    pub weight: Weight,
    /// What the member says of the service: version, protocol, path.
    pub meta: Tags,
    /// How well the service is.
    pub condition: Condition,
}

impl Service {
    /// A passing service at this port, with the default weight.
    pub fn new(port: u16) -> Self {
        Self { port, weight: Weight::default(), meta: Tags::empty(), condition: Condition::default() }
    }

    /// The same with this weight.
    #[must_use]
    pub fn with_weight(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// The same with these words about the service.
    #[must_use]
    pub fn with_meta(self, meta: Tags) -> Self {
        Self { meta, ..self }
    }

    /// The same in this condition.
    #[must_use]
    pub fn with_condition(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }

    /// The most bytes that the service adds to a statement: its texts, and for the numbers and
    /// lengths [`SERVICE_OVERHEAD`] and [`META_OVERHEAD`].
    fn byte_len(&self, name: &ServiceName) -> usize {
        let texts = name.as_str().len() + self.meta.byte_len() + self.condition.note().len();
        texts + SERVICE_OVERHEAD + META_OVERHEAD * self.meta.len()
    }
}

/// For each service: port and weight (3 bytes each), condition (1), seconds (5), and four lengths.
const SERVICE_OVERHEAD: usize = 16;
/// For each entry of the meta data: the lengths of key and value, two bytes each.
const META_OVERHEAD: usize = 4;

/// The services of a member, ordered by name. Cheap to clone; takes no memory if there is none.
///
/// At most [`ENTRIES_MAX`](Self::ENTRIES_MAX) services and [`BYTES_MAX`](Self::BYTES_MAX) bytes of
/// names, meta data and notes, plus 16 for each service and 4 for each entry of meta data. More is
/// refused as a whole, when built and when decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "BTreeMap<ServiceName, Service>")]
pub struct Services(Option<Arc<BTreeMap<ServiceName, Service>>>);

impl Services {
    /// How many services a member may offer.
    pub const ENTRIES_MAX: usize = 32;
    /// How many bytes all services may take together. The largest tags (16 KiB) and these fit
    /// behind a full page (24 KiB) into the largest message (48 KiB).
    pub const BYTES_MAX: usize = 4 * 1024;

    /// No service.
    pub const fn none() -> Self {
        Self(None)
    }

    /// These services with one more, or with another one of this name.
    ///
    /// # Errors
    /// [`OfferError`] if the result is over a bound.
    pub fn with(&self, name: ServiceName, service: Service) -> Result<Self, OfferError> {
        let mut map = self.to_map();
        map.insert(name, service);
        Self::try_from(map)
    }

    /// These services without the one of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut map = self.to_map();
        map.remove(name);
        Self((!map.is_empty()).then(|| Arc::new(map)))
    }

    /// The service of this name.
    pub fn get(&self, name: &str) -> Option<&Service> {
        self.0.as_ref()?.get(name)
    }

    /// All services, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ServiceName, &Service)> {
        self.0.iter().flat_map(|map| map.iter())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.len())
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn to_map(&self) -> BTreeMap<ServiceName, Service> {
        self.0.as_deref().cloned().unwrap_or_default()
    }
}

impl TryFrom<BTreeMap<ServiceName, Service>> for Services {
    type Error = OfferError;

    fn try_from(map: BTreeMap<ServiceName, Service>) -> Result<Self, OfferError> {
        if map.len() > Self::ENTRIES_MAX {
            return Err(OfferError::TooMany { found: map.len() });
        }
        let found = map.iter().map(|(name, service)| service.byte_len(name)).sum();
        if found > Self::BYTES_MAX {
            return Err(OfferError::TooLarge { found });
        }
        Ok(Self((!map.is_empty()).then(|| Arc::new(map))))
    }
}

impl Serialize for Services {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        self.iter().try_for_each(|(name, service)| map.serialize_entry(name, service))?;
        map.end()
    }
}

#[cfg(test)]
mod tests;
