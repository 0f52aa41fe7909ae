//! The forms that settings have: how each is read from a flag, a variable or the file, and what is
//! said of one that is wrong.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde::de::{Error, Visitor};
use serde::{Deserialize as _, Deserializer};

use super::settings::ModeSetting;
use crate::logs::{LogFormat, LogLevel};
use crate::span::Span;

/// A value that is read from text. In the file it may also be a number or a truth value, where that
/// is its form.
pub(crate) trait Form: Sized {
    /// What is wanted, as "give ..." goes on.
    const WANTED: &'static str;

    /// What is wrong with a number in the file, where that is not its form.
    const NUMBER_FAULT: &'static str = "is not in quotes";

    /// Reads it from text.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Reads it from a number in the file; `None` if a number is not its form.
    fn from_number(_number: i64) -> Option<Result<Self, String>> {
        None
    }

    /// Reads it from a truth value in the file; `None` if that is not its form.
    fn from_truth(_truth: bool) -> Option<Self> {
        None
    }
}

/// Reads a setting of the file, for `#[serde(deserialize_with)]`.
pub(super) fn in_file<'de, D: Deserializer<'de>, T: Form>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(OfForm(PhantomData)).map(Some)
}

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

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        T::from_truth(truth)
            .ok_or_else(|| E::custom(format_args!("{truth} is not a value here; give {}", T::WANTED)))
    }
}

/// What is wrong with a text that has not the form of `T`.
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
    }
}

/// An address to listen on or to be reached at.
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

/// Whether what stands before the port is a name. What has more colons is an IPv6 address, or means
/// to be one.
fn is_name(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    !host.contains(':') && host.contains(|c: char| c.is_ascii_alphabetic())
}

/// A member to join through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seed(pub String);

impl Form for Seed {
    const WANTED: &'static str = "a host and a port, such as 10.0.0.1:7946 or db-1.example.com:7946";

    fn from_text(text: &str) -> Result<Self, String> {
        let host_and_port = text.rsplit_once(':');
        let fits = host_and_port.is_some_and(|(host, port)| {
            let is_host = !host.is_empty() && !host.contains(char::is_whitespace);
            // An IPv6 address stands in brackets, or its last part would be taken for the port.
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

/// How often a join tries its seeds: a number of times, or until it succeeds (`None`).
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

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truth(pub bool);

impl Form for Truth {
    const WANTED: &'static str = "true or false";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| wrong::<Self>(text))
    }

    fn from_truth(truth: bool) -> Option<Self> {
        Some(Self(truth))
    }
}

impl Form for Span {
    const NUMBER_FAULT: &'static str = "has no unit";
    const WANTED: &'static str = "a whole number with its unit, such as \"500ms\", \"2s\", \"5m\" or \"1h\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Form for ModeSetting {
    const WANTED: &'static str = "verified, lifeguard or swim";

    fn from_text(text: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| wrong::<Self>(text))
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

from_str_by_form!(FilePath, Address, Seed, Attempts, Truth);

impl<const MIN: u16, const MAX: u16> FromStr for Number<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_text(text)
    }
}

/// In the file the seeds are a list.
pub(super) fn seeds_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Seed>>, D::Error> {
    const WANTED: &str = "a list, such as join = [\"10.0.0.1:7946\", \"10.0.0.2:7946\"]";
    let value = toml::Value::deserialize(from)?;
    let toml::Value::Array(list) = value else {
        return Err(D::Error::custom(format_args!("{value} is not a list; give {WANTED}")));
    };
    let seed = |value: toml::Value| match value {
        toml::Value::String(text) => Seed::from_text(&text).map_err(D::Error::custom),
        other => Err(D::Error::custom(format_args!("{other} in the list is not in quotes; give {WANTED}"))),
    };
    list.into_iter().map(seed).collect::<Result<_, _>>().map(Some)
}
