//! The agent's configuration: settings from flags, environment and file, merged into the
//! configuration of a member.

mod changes;
mod file;
mod form;
mod http;
mod services;
mod settings;
mod tags;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kinfolk::{ClusterConfig, FlapPolicy, NodeAddr, NodeIdentity, SwimConfig, Tags};

pub(crate) use changes::Compared;
pub(crate) use services::{CheckKind, CheckSetting, CommandLine, ServiceTables};
pub(crate) use settings::Settings;
pub(crate) use tags::SourceTags;

use crate::api::{self, TcpConfig};
use crate::exit::{Failure, Status};
use crate::identity_files::IdentityFiles;
use crate::logs::{LogFormat, LogLevel};
use form::FilePath;
use settings::ModeSetting;
use tags::TagList;

/// The environment variable with the tags. clap does not read it: tags are merged key by key, so
/// the variable must not replace those of the flags or of the file.
const TAGS_VARIABLE: &str = "KINFOLK_TAGS";

/// All settings of an agent, checked as far as that is possible without opening a file or a socket.
#[derive(Debug, Clone)]
pub(crate) struct AgentConfig {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) join: Vec<String>,
    pub(crate) socket: PathBuf,
    /// The TCP port of the API; `None` for no port.
    pub(crate) http: Option<TcpConfig>,
    pub(crate) log_level: LogLevel,
    pub(crate) log_format: LogFormat,
    pub(crate) event_log: Option<PathBuf>,
    pub(crate) services: ServiceTables,
    pub(crate) tags: Tags,
    /// The settings of all sources, without the tags.
    pub(crate) settings: Settings,
    /// The settings of the file alone.
    pub(crate) in_file: Settings,
}

/// Where the settings come from. The agent keeps it, so that it can read the file again.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    file: Option<PathBuf>,
    flags: Settings,
}

impl Sources {
    pub(crate) fn new(file: Option<PathBuf>, flags: Settings) -> Self {
        Self { file, flags }
    }

    /// The configuration file, if there is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads the file, if there is one, and merges it with the flags and the environment.
    pub(crate) fn read(&self) -> Result<AgentConfig, Failure> {
        let file = self.file().map_or_else(|| Ok(Settings::default()), file::read)?;
        let variable = std::env::var_os(TAGS_VARIABLE).map(|text| text.to_string_lossy().into_owned());
        AgentConfig::merge(self.flags.clone(), variable.as_deref(), file)
    }
}

impl AgentConfig {
    /// Merges the sources. A flag outranks the variable with the tags, which outranks the file.
    fn merge(flags: Settings, tags: Option<&str>, file: Settings) -> Result<Self, Failure> {
        // A tag is given twice in one source, or is not `key=value`. What to do: correct the source
        // that the message names.
        let fail = |source: &str, why: String| Failure::new(Status::Config, format_args!("{source}: {why}"));
        let of = |source: &str, lists: Vec<TagList>| SourceTags::of(lists).map_err(|why| fail(source, why));
        let variable = tags.map(str::parse).transpose().map_err(|why| fail(TAGS_VARIABLE, why))?;
        let tags = of("--tag", flags.tags.clone())?
            .over(of(TAGS_VARIABLE, variable.into_iter().collect())?)
            .over(of("[tags]", file.tags.clone())?);
        Self::check(flags.over(file.clone()), &tags, file)
    }

    fn check(settings: Settings, tags: &SourceTags, in_file: Settings) -> Result<Self, Failure> {
        // A key, a value, or all tags together are too long, or a key is empty. What to do: see
        // the limits in the message.
        let tags = Tags::new(tags.iter())
            .map_err(|error| Failure::new(Status::Config, format_args!("cannot use the tags: {error}")))?;
        // Two settings contradict each other, such as a probe time-out above the probe interval.
        // What to do: change the setting that the message names.
        settings.swim().validate().map_err(|error| Failure::new(Status::Config, error))?;
        let path = |path: &Option<FilePath>| path.clone().map(|path| path.0);
        Ok(Self {
            cert: required(path(&settings.cert), "the node's certificate", "cert")?,
            key: required(path(&settings.key), "the node's private key", "key")?,
            ca: required(path(&settings.ca), "the certificate of the cluster's CA", "ca")?,
            listen: required(settings.listen, "the address to listen on", "listen")?.0,
            join: settings.join.iter().flatten().map(|seed| seed.0.clone()).collect(),
            socket: path(&settings.socket).unwrap_or_else(api::default_socket),
            http: http::check(&settings).map_err(|why| Failure::new(Status::Config, why))?,
            log_level: settings.log_level.clone().unwrap_or_default(),
            log_format: settings.log_format.unwrap_or_default(),
            event_log: path(&settings.event_log),
            services: settings.services.clone(),
            tags,
            settings,
            in_file,
        })
    }

    /// Whether this setting is in use with another value than the file gives it.
    pub(crate) fn is_overruled(&self, name: &str) -> bool {
        let compared = self.in_file.compare(&self.settings);
        compared.iter().any(|setting| setting.name == name && setting.has_changed)
    }

    /// The tags of the file alone.
    pub(crate) fn tags_in_file(&self) -> SourceTags {
        // A key that the file gives twice was refused when the sources were merged.
        SourceTags::of(self.in_file.tags.clone()).unwrap_or_default()
    }

    /// The files of the node's identity.
    pub(crate) fn identity_files(&self) -> IdentityFiles {
        IdentityFiles { cert: self.cert.clone(), key: self.key.clone(), ca: self.ca.clone() }
    }

    /// The configuration with which the member starts. Settings that are not given keep the
    /// library's defaults.
    pub(crate) fn cluster(&self, identity: NodeIdentity) -> ClusterConfig {
        let mut config = ClusterConfig::new(identity, self.listen);
        let settings = &self.settings;
        config.advertise = settings.advertise.map(|addr| NodeAddr::new(addr.0));
        config.tags = self.tags.clone();
        config.services = self.services.offered.clone();
        config.state_dir = settings.state_dir.clone().map(|dir| dir.0);
        set(&mut config.rejoin_after_stop, settings.rejoin_after_stop.map(|rejoins| rejoins.0));
        config.swim = settings.swim();
        // Phi compares a silence with the schedule of the probes, so both must have one interval.
        config.health.phi.expected_interval = config.swim.probe_interval;
        set(&mut config.pool.max_total, settings.pool_max_total.map(|max| usize::from(max.0)));
        set(&mut config.pool.idle_timeout, settings.pool_idle_timeout.map(|span| span.0));
        set(&mut config.join.attempts, settings.join_attempts.map(|attempts| attempts.0.map(u32::from)));
        set(&mut config.coordinates, settings.coordinates.map(|states| states.0));
        set(&mut config.shutdown.leave, settings.leave_timeout.map(|span| span.0));
        config
    }
}

impl Settings {
    /// The protocol's settings. Defaults that would contradict a given interval are adapted to it.
    fn swim(&self) -> SwimConfig {
        let mut swim = match self.mode {
            Some(ModeSetting::Verified) => SwimConfig::verified(),
            Some(ModeSetting::Swim) => SwimConfig::swim(),
            Some(ModeSetting::Lifeguard) => SwimConfig::lifeguard(),
            None => SwimConfig::default(),
        };
        set(&mut swim.probe_interval, self.probe_interval.map(|span| span.0));
        // A probe must end within its interval. Half leaves the other half to the indirect probes.
        let half = swim.probe_timeout.min(swim.probe_interval / 2);
        swim.probe_timeout = self.probe_timeout.map_or(half, |span| span.0);
        // The protocol refuses a tolerated pause of less than two probe intervals.
        let tolerated = swim.tolerated_pause.max(swim.probe_interval * 2);
        swim.tolerated_pause = self.tolerated_pause.map_or(tolerated, |span| span.0);
        set(&mut swim.tombstone_ttl, self.tombstone_ttl.map(|span| span.0));
        set(&mut swim.partition_grace, self.partition_grace.map(|span| span.0));
        set(&mut swim.quorum_percent, self.quorum_percent.map(|percent| u32::from(percent.0)));
        set(&mut swim.accusers_required, self.accusers_required.map(|count| usize::from(count.0)));
        set(&mut swim.flaps, self.flap_damping.map(|damps| damps.0.then(FlapPolicy::default)));
        // A gossip update must not wait for longer than the probe that could have carried it.
        swim.gossip_interval = swim.gossip_interval.min(swim.probe_interval).max(Duration::from_millis(1));
        swim
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// The value of a setting without a default.
fn required<T>(value: Option<T>, what: &str, name: &str) -> Result<T, Failure> {
    // A setting that every agent needs is missing. What to do: give it in one of the three ways
    // that the message names.
    value.ok_or_else(|| {
        let variable = name.to_uppercase();
        let message = format!(
            "{what} is missing; set `{name}` in the file of --config, or give --{name} or KINFOLK_{variable}"
        );
        Failure::new(Status::Config, message)
    })
}

/// The configuration of these flags and this file, for tests.
#[cfg(test)]
pub(crate) use tests::test_config;

#[cfg(test)]
mod tests;
