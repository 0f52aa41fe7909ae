//! The services that the member offers: tables `[services.NAME]` of the file, each with a port and
//! optionally a weight, meta data and a check. This file only reads them;
//! [`agent::services`](crate::agent) runs the checks.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kinfolk::{Check, Condition, Service, ServiceName, Services, Tags, Weight};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::form::{Address, Form, Number, in_file as form_in_file};
use crate::span::Span;

/// The shortest interval of a check. A command takes some milliseconds of CPU to start, so a
/// shorter interval would load the machine that it watches.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The shortest time between two reports of a program. The check runs four times in it.
const TTL_MIN: Duration = Duration::from_secs(1);
/// The valid form of all services, after "expected".
const SERVICES_WANTED: &str = "a table for each service, such as [services.db] with port = 5432";
/// The valid form of one service, after "expected".
const SERVICE_WANTED: &str = "a table, such as [services.db] with port = 5432";
/// The valid form of meta data, after "expected" or "give".
const META_WANTED: &str = "a table of texts, such as meta = { version = \"17\" }";
/// The valid form of a check, after "expected".
const CHECK_WANTED: &str = "a table, such as check = { tcp = \"127.0.0.1:5432\" }";
/// The valid form of a command, after "give".
const COMMAND_WANTED: &str =
    "a list of the program and its arguments, such as command = [\"/usr/local/bin/db-ok\", \"--quick\"]";

/// The services of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ServiceTables {
    /// What the member offers at its start. All bounds of services hold, even when each check has
    /// set its longest note.
    pub(crate) offered: Services,
    /// The checks of those services that have one.
    pub(crate) checks: BTreeMap<ServiceName, CheckSetting>,
}

/// The check of a service. `None` keeps the default of [`kinfolk::Check`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckSetting {
    pub(crate) kind: CheckKind,
    /// How often it runs.
    pub(crate) interval: Option<Duration>,
    /// After this time without a result it is critical.
    pub(crate) timeout: Option<Duration>,
    /// How many results in a row make the health worse.
    pub(crate) failures: Option<u32>,
    /// How many results in a row make the health better.
    pub(crate) successes: Option<u32>,
}

/// What a check does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CheckKind {
    /// Requests this URL.
    Http(String),
    /// Opens a TCP connection.
    Tcp(SocketAddr),
    /// Runs a program.
    Command(CommandLine),
    /// Waits for reports of a program, which may be this long apart.
    Ttl(Duration),
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommandLine {
    /// A path; or a name without `/`, which is searched in `PATH`.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

impl ServiceTables {
    /// Whether both have the same service of this name, with the same check.
    pub(crate) fn has_same(&self, other: &Self, name: &ServiceName) -> bool {
        self.offered.get(name.as_str()) == other.offered.get(name.as_str())
            && self.checks.get(name) == other.checks.get(name)
    }

    /// Makes relative paths of programs relative to `folder`. A name without `/` stays as it is.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        for check in self.checks.values_mut() {
            if let CheckKind::Command(CommandLine { program, .. }) = &mut check.kind
                && program.components().nth(1).is_some()
            {
                *program = folder.join(&*program);
            }
        }
    }

    fn of(tables: BTreeMap<ServiceName, ServiceTable>) -> Result<Self, String> {
        // A note travels with the services and counts as part of them. Reserve the room of the
        // longest one now, because a check could not report later.
        let longest = Condition::critical(&"x".repeat(1_000));
        let mut reserved = BTreeMap::new();
        let (mut offered, mut checks) = (BTreeMap::new(), BTreeMap::new());
        for (name, ServiceTable { service, check }) in tables {
            offered.insert(name.clone(), service.clone());
            let checked = if check.is_some() { service.with_condition(longest.clone()) } else { service };
            reserved.insert(name.clone(), checked);
            checks.extend(check.map(|check| (name, check)));
        }
        let room = longest.note().len();
        let over = |error| format!("{error} (the note of each check counts as {room} bytes)");
        Services::try_from(reserved).map_err(over)?;
        let offered = Services::try_from(offered).map_err(|error| error.to_string())?;
        Ok(Self { offered, checks })
    }
}

/// Reads the tables of the file; for `#[serde(deserialize_with)]`.
pub(super) fn in_file<'de, D: Deserializer<'de>>(from: D) -> Result<ServiceTables, D::Error> {
    let tables = table(from, SERVICES_WANTED)?;
    ServiceTables::of(tables).map_err(D::Error::custom)
}

/// One service.
#[derive(Debug)]
struct ServiceTable {
    service: Service,
    check: Option<CheckSetting>,
}

impl<'de> Deserialize<'de> for ServiceTable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize, Default)]
        #[serde(deny_unknown_fields, default)]
        struct Keys {
            #[serde(deserialize_with = "form_in_file")]
            port: Option<Number<1, { u16::MAX }>>,
            #[serde(deserialize_with = "form_in_file")]
            weight: Option<Number<1, { Weight::MAX.get() }>>,
            #[serde(deserialize_with = "meta_in_file")]
            meta: Option<Tags>,
            check: Option<CheckSetting>,
        }

        let Keys { port, weight, meta, check } = table(from, SERVICE_WANTED)?;
        let Some(Number(port)) = port else {
            return Err(D::Error::custom("the service has no port; give one, such as port = 5432"));
        };
        let weight = weight.map(|Number(weight)| Weight::new(weight).expect("the form has its range"));
        let service = Service::new(port)
            .with_weight(weight.unwrap_or_default())
            .with_meta(meta.unwrap_or_else(Tags::empty));
        Ok(Self { service, check })
    }
}

/// The URL of an HTTP check.
#[derive(Debug)]
struct HttpUrl(String);

impl Form for HttpUrl {
    const WANTED: &'static str = "a URL, such as http://127.0.0.1:8080/health";

    fn from_text(text: &str) -> Result<Self, String> {
        // The library reads the URL when it makes the check, and says what is wrong with it.
        Check::http(text).map(|_| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for CheckSetting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize, Default)]
        #[serde(deny_unknown_fields, default)]
        struct Keys {
            #[serde(deserialize_with = "form_in_file")]
            tcp: Option<Address>,
            #[serde(deserialize_with = "form_in_file")]
            http: Option<HttpUrl>,
            #[serde(deserialize_with = "command_in_file")]
            command: Option<CommandLine>,
            #[serde(deserialize_with = "form_in_file")]
            ttl: Option<Span>,
            #[serde(deserialize_with = "form_in_file")]
            interval: Option<Span>,
            #[serde(deserialize_with = "form_in_file")]
            timeout: Option<Span>,
            #[serde(deserialize_with = "form_in_file")]
            failures: Option<Number<1, 1_000>>,
            #[serde(deserialize_with = "form_in_file")]
            successes: Option<Number<1, 1_000>>,
        }

        let Keys { tcp, http, command, ttl, interval, timeout, failures, successes } =
            table(from, CHECK_WANTED)?;
        let takes_runs = ttl.is_none();
        let has_runs = interval.is_some() || timeout.is_some() || failures.is_some() || successes.is_some();
        let tcp = tcp.map(|Address(addr)| CheckKind::Tcp(addr));
        let http = http.map(|HttpUrl(url)| CheckKind::Http(url));
        let command = command.map(CheckKind::Command);
        let ttl = ttl.map(|Span(ttl)| CheckKind::Ttl(ttl));
        let mut kinds = [tcp, http, command, ttl].into_iter().flatten();
        let kind = match (kinds.next(), kinds.next()) {
            (Some(kind), None) => kind,
            (None, _) => {
                let message = "the check has no `tcp`, `http`, `command` or `ttl`; give one of them";
                return Err(D::Error::custom(message));
            }
            (Some(_), Some(_)) => {
                let message =
                    "the check has more than one of `tcp`, `http`, `command` and `ttl`; keep one of them";
                return Err(D::Error::custom(message));
            }
        };
        if let CheckKind::Ttl(ttl) = kind
            && ttl < TTL_MIN
        {
            let (ttl, least) = (Span(ttl), Span(TTL_MIN));
            return Err(D::Error::custom(format_args!("the ttl {ttl} is too short; give at least {least}")));
        }
        if has_runs && !takes_runs {
            let message = "a check with `ttl` waits for reports, and runs nothing; leave out `interval`, `timeout`, \
                           `failures` and `successes`";
            return Err(D::Error::custom(message));
        }
        if let Some(interval) = interval.filter(|interval| interval.0 < INTERVAL_MIN) {
            let least = Span(INTERVAL_MIN);
            let message = format_args!("the interval {interval} is too short; give at least {least}");
            return Err(D::Error::custom(message));
        }
        if timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            return Err(D::Error::custom("the timeout is 0; give at least 1ms"));
        }
        let number = |number: Option<Number<1, 1_000>>| number.map(|Number(number)| number.into());
        Ok(Self {
            kind,
            interval: interval.map(|span| span.0),
            timeout: timeout.map(|span| span.0),
            failures: number(failures),
            successes: number(successes),
        })
    }
}

/// Reads a `T` from a table. The message for another value has the form that is `wanted`. (A struct
/// with a derived `Deserialize` would also take a list.)
fn table<'de, D, T>(from: D, wanted: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    struct Table<T>(&'static str, PhantomData<T>);

    impl<'de, T: DeserializeOwned> Visitor<'de> for Table<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_any(Table(wanted, PhantomData))
}

/// Reads meta data: a table of texts.
fn meta_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Tags>, D::Error> {
    let pairs: BTreeMap<String, toml::Value> = table(from, META_WANTED)?;
    let text = |(key, value)| match value {
        toml::Value::String(text) => Ok((key, text)),
        other => Err(D::Error::custom(format_args!(
            "the value {other} of {key:?} is not in quotes; give {META_WANTED}"
        ))),
    };
    let pairs = pairs.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Tags::new(pairs)
        .map(Some)
        .map_err(|error| D::Error::custom(format_args!("cannot use the meta data: {error}")))
}

/// Reads a command: a list, because a text would need the rules of a shell.
fn command_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<CommandLine>, D::Error> {
    // Read any value first, so that the message can show what is there.
    let value = toml::Value::deserialize(from)?;
    let toml::Value::Array(list) = value else {
        return Err(D::Error::custom(format_args!("{value} is not a list; give {COMMAND_WANTED}")));
    };
    let word = |value: toml::Value| match value {
        toml::Value::String(text) => Ok(text),
        other => {
            Err(D::Error::custom(format_args!("{other} in the list is not in quotes; give {COMMAND_WANTED}")))
        }
    };
    let words = list.into_iter().map(word).collect::<Result<Vec<_>, _>>()?;
    match words.split_first() {
        Some((program, args)) if !program.is_empty() => {
            Ok(Some(CommandLine { program: program.into(), args: args.to_vec() }))
        }
        _ => Err(D::Error::custom(format_args!("the program is missing; give {COMMAND_WANTED}"))),
    }
}

#[cfg(test)]
mod tests;
