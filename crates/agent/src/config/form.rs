//! The forms of settings: how each is read from a flag, an environment variable or the file, and
//! the message for a value of another form.
//!
//! Each message says what the value lacks and shows a valid value. The messages for the flag and
//! for the file are the same.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde::de::{Error, Visitor};
use serde::{Deserialize as _, Deserializer};

use super::settings::ModeSetting;
use crate::api::Role;
use crate::logs::{LogFormat, LogLevel};
use crate::span::Span;

/// A value that is read from text. In the file it may also be a number or a boolean, if the form
/// allows that.
pub(crate) trait Form: Sized {
    /// The valid values, as the end of a sentence that begins with "give".
    const WANTED: &'static str;

    /// What is wrong with a number in the file, if a number is not of this form. For a duration the
    /// usual mistake is a missing unit, so it has its own text.
    const NUMBER_FAULT: &'static str = "is not in quotes";

    /// Reads the value from text.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Reads the value from a number in the file. `None` if a number is not of this form.
    fn from_number(_number: i64) -> Option<Result<Self, String>> {
        None
    }

    /// Reads the value from a boolean in the file. `None` if a boolean is not of this form.
    fn from_bool(_value: bool) -> Option<Self> {
        None
    }
}

/// Reads a setting of the file; for `#[serde(deserialize_with)]`.
pub(super) fn in_file<'de, D: Deserializer<'de>, T: Form>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(OfForm(PhantomData)).map(Some)
}

/// Reads a value of the form `T` from whatever TOML has at its place.
struct OfForm<T>(PhantomData<T>);

impl<T: Form> Visitor<'_> for OfForm<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let wrong = || E::custom(format_args!("{number} {}; give {}", T::NUMBER_FAULT, T::WANTED));
        T::from_number(number).ok_or_else(wrong)?.map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        T::from_bool(value)
            .ok_or_else(|| E::custom(format_args!("{value} is not a value here; give {}", T::WANTED)))
    }
}

/// The message for a text that is not of the form `T`.
fn wrong<T: Form>(text: &str) -> String {
    if text.is_empty() {
        format!("the value is empty; give {}", T::WANTED)
    } else {
        format!("{text:?} is wrong; give {}", T::WANTED)
    }
}

/// The path of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePath(pub PathBuf);

impl Form for FilePath {
    const WANTED: &'static str = "the path of a file or folder";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err(wrong::<Self>(text)) } else { Ok(Self(text.into())) }
        // An empty path is a forgotten value, such as an empty environment variable.
    }
}

/// An address to listen on, or to advertise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub SocketAddr);

impl Form for Address {
    const WANTED: &'static str = "an IP address and a port, such as 10.0.0.1:7946 or [2001:db8::1]:7946";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            let why = if text.parse::<std::net::IpAddr>().is_ok() {
                " has no port"
            } else if text.starts_with(':') {
                " has no IP address (0.0.0.0 and [::] are all of this machine)"
            } else if is_name(text) {
                " is a name, and not an IP address"
            } else {
                return wrong::<Self>(text);
            };
            format!("{text:?}{why}; give {}", Self::WANTED)
        })
    }
}

/// Whether the part before the port is a host name. A text with more colons is an IPv6 address, or
/// an attempt to write one.
fn is_name(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    !host.contains(':') && host.contains(|c: char| c.is_ascii_alphabetic())
}

/// The address of a member to join through. It stays text, because the join resolves a host name at
/// each attempt: the name may get another address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seed(pub String);

impl Form for Seed {
    const WANTED: &'static str = "a host and a port, such as 10.0.0.1:7946 or db-1.example.com:7946";

    fn from_text(text: &str) -> Result<Self, String> {
        let host_and_port = text.rsplit_once(':');
        let fits = host_and_port.is_some_and(|(host, port)| {
            let is_host = !host.is_empty() && !host.contains(char::is_whitespace);
            // An IPv6 address needs brackets. Else its last part would be taken for the port.
            let is_clear = !host.contains(':') || host.starts_with('[') && host.ends_with(']');
            is_host && is_clear && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        if fits { Ok(Self(text.to_owned())) } else { Err(wrong::<Self>(text)) }
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<const MIN: u16, const MAX: u16>(pub u16);

impl<const MIN: u16, const MAX: u16> Number<MIN, MAX> {
    fn checked(number: i64) -> Result<Self, String> {
        let fits = u16::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
        fits.map(Self).ok_or_else(|| format!("{number} is out of range; give {MIN} to {MAX}"))
    }
}

impl<const MIN: u16, const MAX: u16> Form for Number<MIN, MAX> {
    const WANTED: &'static str = "a whole number";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) => Self::checked(number),
            Err(_) => Err(format!("{text:?} is not a whole number; give {MIN} to {MAX}")),
        }
    }

    fn from_number(number: i64) -> Option<Result<Self, String>> {
        Some(Self::checked(number))
    }
}

/// The number of times that a join tries its seeds; `None` means until it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempts(pub Option<u16>);

impl Form for Attempts {
    const WANTED: &'static str = "1 to 1000, or \"forever\"";

    fn from_text(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(None));
        }
        let number = text.parse().map_err(|_| wrong::<Self>(text))?;
        Self::from_number(number).expect("a number is one of its forms")
    }

    fn from_number(number: i64) -> Option<Result<Self, String>> {
        let fits = u16::try_from(number).ok().filter(|number| (1..=1_000).contains(number));
        Some(
            fits.map(|number| Self(Some(number)))
                .ok_or_else(|| format!("{number} is out of range; give {}", Self::WANTED)),
        )
    }
}

/// A setting that is true or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bool(pub bool);

impl Form for Bool {
    const WANTED: &'static str = "true or false";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| wrong::<Self>(text))
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(Self(value))
    }
}

impl Form for Span {
    const NUMBER_FAULT: &'static str = "has no unit";
    const WANTED: &'static str = "a number with its unit, such as \"500ms\", \"2s\", \"5m\" or \"1h\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Form for ModeSetting {
    const WANTED: &'static str = "verified, lifeguard or swim";

    fn from_text(text: &str) -> Result<Self, String> {
        // `false`: upper and lower case differ, as they do in the flag.
        <Self as ValueEnum>::from_str(text, false).map_err(|_| wrong::<Self>(text))
    }
}

/// The name of a host in a `Host` header, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostName(pub String);

impl Form for HostName {
    const WANTED: &'static str = "the name of a host without a port, such as web-1.example.com";

    fn from_text(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if !text.is_empty() && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong::<Self>(text))
        }
    }
}

impl Form for Role {
    const WANTED: &'static str = "read, write or admin";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Form for LogLevel {
    const WANTED: &'static str = Self::WANTED;

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Form for LogFormat {
    const WANTED: &'static str = "text or json";

    fn from_text(text: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| wrong::<Self>(text))
    }
}

macro_rules! from_str_by_form {
    ($($name:ty),*) => {$(
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::from_text(text)
            }
        }
    )*};
}

from_str_by_form!(FilePath, Address, Seed, Attempts, Bool, HostName);

impl<const MIN: u16, const MAX: u16> FromStr for Number<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_text(text)
    }
}

/// Reads the seeds in the file: there they are a list, not one text with commas.
pub(super) fn seeds_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Seed>>, D::Error> {
    list_in_file(from, "a list, such as join = [\"10.0.0.1:7946\", \"10.0.0.2:7946\"]")
}

/// Reads the names of hosts in the file, which are a list there.
pub(super) fn host_names_in_file<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<HostName>>, D::Error> {
    list_in_file(from, "a list, such as http_hosts = [\"web-1.example.com\"]")
}

fn list_in_file<'de, D: Deserializer<'de>, T: Form>(
    from: D,
    wanted: &'static str,
) -> Result<Option<Vec<T>>, D::Error> {
    // Read any value first, so that the message can show what is there.
    let value = toml::Value::deserialize(from)?;
    let toml::Value::Array(list) = value else {
        return Err(D::Error::custom(format_args!("{value} is not a list; give {wanted}")));
    };
    let item = |value: toml::Value| match value {
        toml::Value::String(text) => T::from_text(&text).map_err(D::Error::custom),
        other => Err(D::Error::custom(format_args!("{other} in the list is not in quotes; give {wanted}"))),
    };
    list.into_iter().map(item).collect::<Result<_, _>>().map(Some)
}
