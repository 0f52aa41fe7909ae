//! The settings of the agent. [`Settings`] declares each with its flag, its environment variable,
//! its key in the file, its help and its default; [`Settings::over`] lists all of them again. The
//! services are the exception: they are only in the file.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::form::{
    Address, Attempts, Bool, FilePath, HostName, Number, Seed, host_names_in_file, in_file, seeds_in_file,
};
use super::services::{self, ServiceTables};
use super::tags::{self, TagList};
use crate::api::Role;
use crate::logs::{LogFormat, LogLevel};
use crate::span::Span;

/// The settings from one source: command line and environment, or file. `None` where the source
/// does not give a setting.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
// An unknown key is an error: a misspelt setting must not be ignored silently.
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The node's certificate; the name in it is the node's name
    #[arg(long, value_name = "FILE", env = "KINFOLK_CERT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) cert: Option<FilePath>,
    /// The node's private key
    #[arg(long, value_name = "FILE", env = "KINFOLK_KEY")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) key: Option<FilePath>,
    /// The certificate of the cluster's CA
    #[arg(long, value_name = "FILE", env = "KINFOLK_CA")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) ca: Option<FilePath>,
    /// The UDP address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "IP:PORT", env = "KINFOLK_LISTEN")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) listen: Option<Address>,
    /// The address at which other members reach this node [default: that of --listen]
    #[arg(long, value_name = "IP:PORT", env = "KINFOLK_ADVERTISE")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) advertise: Option<Address>,
    /// Members to join through; repeat it, or separate them by commas [default: none]
    #[arg(long, value_name = "HOST:PORT", env = "KINFOLK_JOIN", value_delimiter = ',')]
    #[serde(deserialize_with = "seeds_in_file")]
    pub(crate) join: Option<Vec<Seed>>,
    /// How often the agent tries each of them before it gives up: 1 to 1000, or forever [default:
    /// 10]
    #[arg(long, value_name = "N", env = "KINFOLK_JOIN_ATTEMPTS")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) join_attempts: Option<Attempts>,
    /// Properties that this node publishes; repeat it, or separate pairs by commas, or give one
    /// JSON object [env: `KINFOLK_TAGS`] [default: none]
    // Without `env`: clap would let the flags replace the tags of the variable. They are merged.
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    #[serde(deserialize_with = "tags::in_file")]
    pub(crate) tags: Vec<TagList>,
    /// A directory in which the node keeps its state; with it, the node rejoins its cluster by
    /// itself after a crash or a stop [default: none]
    #[arg(long, value_name = "DIR", env = "KINFOLK_STATE_DIR")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) state_dir: Option<FilePath>,
    /// Whether a node that a signal stopped rejoins by itself at its next start; it never does
    /// after `kinfolk leave` [default: true]
    #[arg(long, value_name = "BOOL", env = "KINFOLK_REJOIN_AFTER_STOP")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) rejoin_after_stop: Option<Bool>,
    /// The control socket [default: `$XDG_RUNTIME_DIR/kinfolk.sock`, or /run/kinfolk.sock]
    #[arg(long, value_name = "PATH", env = "KINFOLK_SOCKET")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) socket: Option<FilePath>,
    /// The TCP address of the HTTP API, such as `127.0.0.1:8946`; any other than a loopback address
    /// needs --http-tokens, and uses TLS [default: no TCP port]
    #[arg(long, value_name = "IP:PORT", env = "KINFOLK_HTTP")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) http: Option<Address>,
    /// The certificate of the HTTP port; with it a loopback address uses TLS too [default: that of
    /// --cert]
    #[arg(long, value_name = "FILE", env = "KINFOLK_HTTP_CERT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) http_cert: Option<FilePath>,
    /// The private key of --http-cert
    #[arg(long, value_name = "FILE", env = "KINFOLK_HTTP_KEY")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) http_key: Option<FilePath>,
    /// A CA whose certificates clients of the HTTP port may show; --http-tokens gives their names
    /// roles [default: none]
    #[arg(long, value_name = "FILE", env = "KINFOLK_HTTP_CLIENT_CA")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) http_client_ca: Option<FilePath>,
    /// A file with a role (read, write or admin) and a token on each line, or a role and
    /// `cert:NAME`; mode 0600 [default: none]
    #[arg(long, value_name = "FILE", env = "KINFOLK_HTTP_TOKENS")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) http_tokens: Option<FilePath>,
    /// What a client of a loopback port may do without a token: read, write or admin [default:
    /// read, or nothing with --http-tokens]
    #[arg(long, value_name = "ROLE", env = "KINFOLK_HTTP_ROLE")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) http_role: Option<Role>,
    /// Names of this host that clients of the HTTP port use; repeat it, or separate them by commas
    /// [default: localhost, IP addresses, and the name of the node]
    #[arg(long, value_name = "NAME", env = "KINFOLK_HTTP_HOSTS", value_delimiter = ',')]
    #[serde(deserialize_with = "host_names_in_file")]
    pub(crate) http_hosts: Option<Vec<HostName>>,
    /// The levels to log: off, error, warn, info, debug, trace, or a list such as
    /// `info,kinfolk_gossip=debug` [default: info]
    #[arg(long, value_name = "LEVEL", env = "KINFOLK_LOG_LEVEL")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) log_level: Option<LogLevel>,
    /// The format of the log [default: text]
    #[arg(long, value_name = "FORMAT", env = "KINFOLK_LOG_FORMAT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) log_format: Option<LogFormat>,
    /// A file to which the agent appends every cluster event, one JSON object a line [default:
    /// none]
    #[arg(long, value_name = "FILE", env = "KINFOLK_EVENT_LOG")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) event_log: Option<FilePath>,
    /// The failure detection protocol; it must be the same for all members [default: verified]
    #[arg(long, value_name = "MODE", env = "KINFOLK_MODE")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) mode: Option<ModeSetting>,
    /// A member that is silent for less is never declared failed; a silent host is declared failed
    /// within this time and 3 s [default: 5s, at least twice the probe interval]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_TOLERATED_PAUSE")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) tolerated_pause: Option<Span>,
    /// The time between two probes; a shorter one finds crashes sooner and costs more traffic
    /// [default: 1s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_PROBE_INTERVAL")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) probe_interval: Option<Span>,
    /// How long a probe waits for its ack [default: half the probe interval, at most 500ms]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_PROBE_TIMEOUT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) probe_timeout: Option<Span>,
    /// How long verdicts by silence wait while nearly half of the group is silent, and how long a
    /// minority stays writable [default: 30s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_PARTITION_GRACE")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) partition_grace: Option<Span>,
    /// The quorum, in percent of the group's highest known size, 1 to 100 [default: 50]
    #[arg(long, value_name = "N", env = "KINFOLK_QUORUM_PERCENT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) quorum_percent: Option<Number<1, 100>>,
    /// How many members must accuse a member before others believe that it has failed, 1 to 4
    /// [default: 2]
    #[arg(long, value_name = "N", env = "KINFOLK_ACCUSERS_REQUIRED")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) accusers_required: Option<Number<1, 4>>,
    /// Whether the events of a member that fails and returns repeatedly are withheld [default:
    /// true; false in the modes lifeguard and swim]
    #[arg(long, value_name = "BOOL", env = "KINFOLK_FLAP_DAMPING")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) flap_damping: Option<Bool>,
    /// How long the tombstone of a failed or left member is kept [default: 24h]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_TOMBSTONE_TTL")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) tombstone_ttl: Option<Span>,
    /// The maximum number of connections, 1 to 65535 [default: 50]
    #[arg(long, value_name = "N", env = "KINFOLK_POOL_MAX_TOTAL")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) pool_max_total: Option<Number<1, { u16::MAX }>>,
    /// A connection that is unused for this time is closed [default: 60s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_POOL_IDLE_TIMEOUT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) pool_idle_timeout: Option<Span>,
    /// Whether this node measures where it lies in the network and states it to all members;
    /// without it there are no estimates of its round trips [default: true]
    #[arg(long, value_name = "BOOL", env = "KINFOLK_COORDINATES")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) coordinates: Option<Bool>,
    /// The time limit of a leave when the agent stops [default: 5s]
    #[arg(long, value_name = "DURATION", env = "KINFOLK_LEAVE_TIMEOUT")]
    #[serde(deserialize_with = "in_file")]
    pub(crate) leave_timeout: Option<Span>,
    /// The services that the member offers. Only the file has them: each is a table of its own.
    #[arg(skip)]
    #[serde(deserialize_with = "services::in_file")]
    pub(crate) services: ServiceTables,
}

/// The failure detection protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeSetting {
    /// Rings of watchers, with witnesses and port checks (the default)
    Verified,
    /// SWIM with Lifeguard's extensions
    Lifeguard,
    /// SWIM as in its paper
    Swim,
}

impl Settings {
    /// These settings, completed by those of `file`. The seeds come from one source as a whole. The
    /// tags are left out, because [`SourceTags`](super::SourceTags) merges them key by key.
    pub(crate) fn over(self, file: Self) -> Self {
        Self {
            cert: self.cert.or(file.cert),
            key: self.key.or(file.key),
            ca: self.ca.or(file.ca),
            listen: self.listen.or(file.listen),
            advertise: self.advertise.or(file.advertise),
            join: self.join.or(file.join),
            join_attempts: self.join_attempts.or(file.join_attempts),
            // Merged elsewhere. Empty here, so that no tag counts twice.
            tags: Vec::new(),
            state_dir: self.state_dir.or(file.state_dir),
            rejoin_after_stop: self.rejoin_after_stop.or(file.rejoin_after_stop),
            socket: self.socket.or(file.socket),
            http: self.http.or(file.http),
            http_cert: self.http_cert.or(file.http_cert),
            http_key: self.http_key.or(file.http_key),
            http_client_ca: self.http_client_ca.or(file.http_client_ca),
            http_tokens: self.http_tokens.or(file.http_tokens),
            http_role: self.http_role.or(file.http_role),
            http_hosts: self.http_hosts.or(file.http_hosts),
            log_level: self.log_level.or(file.log_level),
            log_format: self.log_format.or(file.log_format),
            event_log: self.event_log.or(file.event_log),
            mode: self.mode.or(file.mode),
            tolerated_pause: self.tolerated_pause.or(file.tolerated_pause),
            probe_interval: self.probe_interval.or(file.probe_interval),
            probe_timeout: self.probe_timeout.or(file.probe_timeout),
            partition_grace: self.partition_grace.or(file.partition_grace),
            quorum_percent: self.quorum_percent.or(file.quorum_percent),
            accusers_required: self.accusers_required.or(file.accusers_required),
            flap_damping: self.flap_damping.or(file.flap_damping),
            tombstone_ttl: self.tombstone_ttl.or(file.tombstone_ttl),
            pool_max_total: self.pool_max_total.or(file.pool_max_total),
            pool_idle_timeout: self.pool_idle_timeout.or(file.pool_idle_timeout),
            coordinates: self.coordinates.or(file.coordinates),
            leave_timeout: self.leave_timeout.or(file.leave_timeout),
            services: file.services,
        }
    }

    /// Makes relative paths relative to `folder`: a file and its certificates can then be moved
    /// together.
    pub(super) fn relative_to(mut self, folder: &Path) -> Self {
        let paths = [
            &mut self.cert,
            &mut self.key,
            &mut self.ca,
            &mut self.state_dir,
            &mut self.socket,
            &mut self.http_cert,
            &mut self.http_key,
            &mut self.http_client_ca,
            &mut self.http_tokens,
            &mut self.event_log,
        ];
        for path in paths.into_iter().flatten() {
            path.0 = folder.join(&path.0);
        }
        self.services.relative_to(folder);
        self
    }
}
