//! Each setting of the agent, declared once: its flag, its variable, its key in the file and its help.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer};

use crate::logs::LogFormat;
use crate::span::Span;

/// The settings that one source (command line and environment, or file) gives; `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The node's certificate, which names it
    #[arg(long, value_name = "FILE", env = "KINFOLK_CERT")]
    pub(crate) cert: Option<PathBuf>,
    /// The node's private key
    #[arg(long, value_name = "FILE", env = "KINFOLK_KEY")]
    pub(crate) key: Option<PathBuf>,
    /// The certificate of the cluster's CA
    #[arg(long, value_name = "FILE", env = "KINFOLK_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The UDP address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "IP:PORT", env = "KINFOLK_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// The address that others reach this node at, if it is another one [default: that of --listen]
    #[arg(long, value_name = "IP:PORT", env = "KINFOLK_ADVERTISE")]
    pub(crate) advertise: Option<SocketAddr>,
    /// Members to join through; repeat it, or separate them by commas [default: none, others join this one]
    #[arg(long, value_name = "HOST:PORT", env = "KINFOLK_JOIN", value_delimiter = ',')]
    pub(crate) join: Option<Vec<String>>,
    /// How often each of them is tried before the agent gives up, 1 to 1000 [default: 10]
    #[arg(long, value_name = "N", env = "KINFOLK_JOIN_ATTEMPTS", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) join_attempts: Option<u16>,
    /// What the node says about itself; repeat it, or separate pairs by commas [default: nothing]
    #[arg(long = "tag", value_name = "KEY=VALUE", env = "KINFOLK_TAGS", value_delimiter = ',')]
    #[serde(deserialize_with = "tags_of_table")]
    pub(crate) tags: Option<Vec<TagPair>>,
    /// Where this node keeps what it remembers of one life for the next; with it, it returns to its cluster by itself after a
    /// crash [default: nothing is remembered]
    #[arg(long, value_name = "DIR", env = "KINFOLK_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The control socket [default: `$XDG_RUNTIME_DIR/kinfolk.sock`, or /run/kinfolk.sock]
    #[arg(long, value_name = "PATH", env = "KINFOLK_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or a list such as `info,kinfolk_gossip=debug` [default: info]
    #[arg(long, value_name = "LEVEL", env = "KINFOLK_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How to log [default: text]
    #[arg(long, value_name = "FORMAT", env = "KINFOLK_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Every event of the cluster is appended here, one JSON object a line [default: none]
    #[arg(long, value_name = "FILE", env = "KINFOLK_EVENT_LOG")]
    pub(crate) event_log: Option<PathBuf>,
    /// The protocol; the same for all members [default: verified]
    #[arg(long, value_name = "MODE", env = "KINFOLK_MODE")]
    pub(crate) mode: Option<ModeSetting>,
    /// A member that stalls for less is never declared failed; a host that fell silent is known to be within this and 3 s
    /// [default: 5s, at least twice the probe interval]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_TOLERATED_PAUSE")]
    pub(crate) tolerated_pause: Option<Span>,
    /// One member is probed in each interval; shorter finds crashes sooner and costs more traffic [default: 1s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_PROBE_INTERVAL")]
    pub(crate) probe_interval: Option<Span>,
    /// How long a probe waits for its answer [default: half the interval, at most 500ms]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_PROBE_TIMEOUT")]
    pub(crate) probe_timeout: Option<Span>,
    /// For how long verdicts by silence are held while nearly half of the group is silent, and a minority is no read-only one
    /// [default: 30s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_PARTITION_GRACE")]
    pub(crate) partition_grace: Option<Span>,
    /// With how many in a hundred of its highest known size the group has its quorum, 1 to 100 [default: 50]
    #[arg(long, value_name = "N", env = "KINFOLK_QUORUM_PERCENT", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) quorum_percent: Option<u16>,
    /// Whether a member that fails and returns again and again is told of as flapping [default: true, in the papers' modes
    /// false]
    #[arg(long, value_name = "BOOL", env = "KINFOLK_FLAP_DAMPING")]
    pub(crate) flap_damping: Option<bool>,
    /// How many connections are kept at most, 1 to 65535 [default: 50]
    #[arg(long, value_name = "N", env = "KINFOLK_POOL_MAX_TOTAL", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) pool_max_total: Option<u16>,
    /// After this time without use a connection is closed [default: 60s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_POOL_IDLE_TIMEOUT")]
    pub(crate) pool_idle_timeout: Option<Span>,
    /// How long leaving may take when the agent is stopped [default: 5s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_LEAVE_TIMEOUT")]
    pub(crate) leave_timeout: Option<Span>,
}

/// Which protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeSetting {
    /// Rings of watchers, witnesses and closed ports (the default)
    Verified,
    /// SWIM with Lifeguard
    Lifeguard,
    /// SWIM as in its paper
    Swim,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagPair {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Settings {
    /// These settings, and where they say nothing those of `file`. A list is taken whole from one of them.
    pub(crate) fn over(self, file: Self) -> Self {
        Self {
            cert: self.cert.or(file.cert),
            key: self.key.or(file.key),
            ca: self.ca.or(file.ca),
            listen: self.listen.or(file.listen),
            advertise: self.advertise.or(file.advertise),
            join: self.join.or(file.join),
            join_attempts: self.join_attempts.or(file.join_attempts),
            tags: self.tags.or(file.tags),
            state_dir: self.state_dir.or(file.state_dir),
            socket: self.socket.or(file.socket),
            log_level: self.log_level.or(file.log_level),
            log_format: self.log_format.or(file.log_format),
            event_log: self.event_log.or(file.event_log),
            mode: self.mode.or(file.mode),
            tolerated_pause: self.tolerated_pause.or(file.tolerated_pause),
            probe_interval: self.probe_interval.or(file.probe_interval),
            probe_timeout: self.probe_timeout.or(file.probe_timeout),
            partition_grace: self.partition_grace.or(file.partition_grace),
            quorum_percent: self.quorum_percent.or(file.quorum_percent),
            flap_damping: self.flap_damping.or(file.flap_damping),
            pool_max_total: self.pool_max_total.or(file.pool_max_total),
            pool_idle_timeout: self.pool_idle_timeout.or(file.pool_idle_timeout),
            leave_timeout: self.leave_timeout.or(file.leave_timeout),
        }
    }

    /// These settings with their paths seen from `folder`.
    pub(super) fn relative_to(mut self, folder: &Path) -> Self {
        let paths = [
            &mut self.cert,
            &mut self.key,
            &mut self.ca,
            &mut self.state_dir,
            &mut self.socket,
            &mut self.event_log,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
        self
    }
}

impl FromStr for TagPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("{text:?} is no tag: give it as key=value")),
        }
    }
}

/// In the file the tags are a table.
fn tags_of_table<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<TagPair>>, D::Error> {
    let table = BTreeMap::<String, String>::deserialize(from)?;
    Ok(Some(table.into_iter().map(|(key, value)| TagPair { key, value }).collect()))
}
