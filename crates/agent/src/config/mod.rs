//! The agent's configuration: settings from flags, environment and file, put together into what a member is started with.

mod file;
mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kinfolk::{ClusterConfig, FlapPolicy, NodeAddr, NodeIdentity, SwimConfig, Tags};

pub(crate) use settings::Settings;

use crate::cli::AgentArgs;
use crate::control;
use crate::exit::{Failure, Status};
use crate::logs::LogFormat;
use settings::ModeSetting;

/// All that an agent needs to know, checked as far as that goes without opening anything.
#[derive(Debug)]
pub(crate) struct AgentConfig {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) join: Vec<String>,
    pub(crate) socket: PathBuf,
    pub(crate) log_level: String,
    pub(crate) log_format: LogFormat,
    pub(crate) event_log: Option<PathBuf>,
    tags: Tags,
    settings: Settings,
}

impl AgentConfig {
    /// Reads the file, if there is one, and puts the flags and the environment over it.
    pub(crate) fn read(args: AgentArgs) -> Result<Self, Failure> {
        let file = args.config.as_deref().map_or_else(|| Ok(Settings::default()), file::read)?;
        Self::check(args.settings.over(file))
    }

    fn check(settings: Settings) -> Result<Self, Failure> {
        let pairs = settings.tags.iter().flatten().map(|tag| (tag.key.as_str(), tag.value.as_str()));
        let tags = Tags::new(pairs).map_err(|error| Failure::new(Status::Config, error))?;
        Ok(Self {
            cert: required(settings.cert.clone(), "the node's certificate", "cert")?,
            key: required(settings.key.clone(), "the node's private key", "key")?,
            ca: required(settings.ca.clone(), "the certificate of the cluster's CA", "ca")?,
            listen: required(settings.listen, "the address to listen on", "listen")?,
            join: settings.join.clone().unwrap_or_default(),
            socket: settings.socket.clone().unwrap_or_else(control::default_path),
            log_level: settings.log_level.clone().unwrap_or_else(|| "info".to_owned()),
            log_format: settings.log_format.unwrap_or_default(),
            event_log: settings.event_log.clone(),
            tags,
            settings,
        })
    }

    /// What the member is started with.
    pub(crate) fn cluster(&self, identity: NodeIdentity) -> ClusterConfig {
        let mut config = ClusterConfig::new(identity, self.listen);
        let settings = &self.settings;
        config.advertise = settings.advertise.map(NodeAddr::new);
        config.tags = self.tags.clone();
        config.state_dir.clone_from(&settings.state_dir);
        config.swim = settings.swim();
        config.health.phi.expected_interval = config.swim.probe_interval;
        set(&mut config.pool.max_total, settings.pool_max_total.map(usize::from));
        set(&mut config.pool.idle_timeout, settings.pool_idle_timeout.map(|span| span.0));
        set(&mut config.join.attempts, settings.join_attempts.map(|attempts| Some(u32::from(attempts))));
        set(&mut config.shutdown.leave, settings.leave_timeout.map(|span| span.0));
        config
    }
}

impl Settings {
    fn swim(&self) -> SwimConfig {
        let mut swim = match self.mode {
            Some(ModeSetting::Verified) => SwimConfig::verified(),
            Some(ModeSetting::Swim) => SwimConfig::swim(),
            Some(ModeSetting::Lifeguard) => SwimConfig::lifeguard(),
            None => SwimConfig::default(),
        };
        set(&mut swim.probe_interval, self.probe_interval.map(|span| span.0));
        let half = swim.probe_timeout.min(swim.probe_interval / 2);
        swim.probe_timeout = self.probe_timeout.map_or(half, |span| span.0);
        let tolerated = swim.tolerated_pause.max(swim.probe_interval * 2);
        swim.tolerated_pause = self.tolerated_pause.map_or(tolerated, |span| span.0);
        set(&mut swim.partition_grace, self.partition_grace.map(|span| span.0));
        set(&mut swim.quorum_percent, self.quorum_percent.map(u32::from));
        set(&mut swim.flaps, self.flap_damping.map(|damps| damps.then(FlapPolicy::default)));
        // News should not wait longer than the probes that they could have travelled with.
        swim.gossip_interval = swim.gossip_interval.min(swim.probe_interval).max(Duration::from_millis(1));
        swim
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn required<T>(value: Option<T>, what: &str, name: &str) -> Result<T, Failure> {
    value.ok_or_else(|| {
        let variable = name.to_uppercase();
        let message = format!(
            "{what} is not given: set `{name}` in the file of --config, or give --{name} or KINFOLK_{variable}"
        );
        Failure::new(Status::Config, message)
    })
}

#[cfg(test)]
mod tests;
