//! Reads the configuration file and the other files again, and applies what changed. SIGHUP and the
//! API ask for it.
//!
//! One task does it, one reload after the other. First it reads and checks everything. Then it does
//! the steps that may fail. Only then does it do those that cannot. So a file that cannot be used
//! changes nothing.

mod plan;

use std::sync::Arc;

use kinfolk::{Cluster, ClusterError, NodeIdentity, Services, Tags};
use tokio::sync::watch;

use super::event_log::Rotation;
use super::identity_watch;
use super::services::{self, RunningServices};
use crate::api::views::ReloadedView;
use crate::api::{Code, Problem, ReloadRequests, Reloaded, TcpAccess, TcpConfig, TcpFiles};
use crate::config::{AgentConfig, Settings, Sources};
use crate::identity_files::IdentityFiles;
use crate::logs::{Filter, Levels};
use plan::Plan;

/// Reads everything again, and knows what is in use.
pub(super) struct Reloader {
    pub(super) cluster: Cluster,
    pub(super) sources: Sources,
    /// The settings in use: those of the start, with what reloads have applied.
    pub(super) running: Settings,
    /// The configuration that was read last.
    pub(super) current: AgentConfig,
    pub(super) services: RunningServices,
    pub(super) levels: Levels,
    /// Opens the event log again. `None` without one.
    pub(super) rotation: Option<Arc<Rotation>>,
    /// Who may use the TCP port, and the settings that it serves with. `None` without a port.
    pub(super) port: Option<(Arc<TcpAccess>, TcpConfig)>,
    /// The seeds, for the task that joins.
    pub(super) seeds: watch::Sender<Vec<String>>,
    /// The files of the identity, for the task that looks at them.
    pub(super) identity_files: watch::Sender<IdentityFiles>,
}

/// Everything that was read, and can be used by itself.
struct Read {
    config: AgentConfig,
    identity: NodeIdentity,
    port: Option<(TcpConfig, TcpFiles)>,
    filter: Filter,
}

impl Reloader {
    /// Reloads at each request.
    pub(super) async fn run(mut self, mut requests: ReloadRequests) {
        while let Some(request) = requests.recv().await {
            let reloaded = self.reload().await;
            log(&reloaded);
            // Nobody waits for the answer to a signal.
            let _unread = request.send(reloaded);
        }
    }

    async fn reload(&mut self) -> Reloaded {
        let sources = self.sources.clone();
        let served = self.port.as_ref().map(|(_, config)| config.clone());
        // Files may be on a slow disk, and nothing else of the agent may wait for that.
        let read = tokio::task::spawn_blocking(move || read(&sources, served)).await;
        let read = read.expect("the task is neither aborted nor panics");
        self.apply(read.map_err(refused)?).await
    }

    async fn apply(&mut self, read: Read) -> Reloaded {
        let Read { config, identity, port, filter } = read;
        let mut plan = Plan::new(&self.running, &self.current, &config);
        let described = |tags: &Tags, services: &Services| {
            let services = services::restated(services, &plan.services, &config.services)?;
            Ok::<_, ClusterError>((plan.change_tags(tags)?, services))
        };
        // Try it first: together with the tags that an operator has set, those of the file may be
        // over the bound. Nothing has changed then.
        let members = self.cluster.members();
        let mine = members.get(self.cluster.id()).ok_or_else(stopped)?;
        described(&mine.tags, &mine.services).map_err(|error| refused(error.to_string()))?;
        let files = config.identity_files();
        let loaded = identity_watch::load(&self.cluster, identity, &files).await.map_err(refused)?;
        if plan.changes_description() {
            self.cluster.update_with(described).await?;
        }
        // From here on nothing fails.
        plan.note_new_contents(loaded);
        self.services.replace(config.services.clone()).await;
        if let (Some((config, files)), Some((access, served))) = (port, &mut self.port) {
            plan.note_new_contents(access.replace(files));
            *served = config;
        }
        if let Some(rotation) = &self.rotation {
            rotation.reopen();
            plan.answer.reopened.push("event_log".to_owned());
        }
        if self.current.log_level != config.log_level {
            self.levels.set(filter);
        }
        if self.current.join != config.join {
            self.cluster.set_seeds(&config.join);
            self.seeds.send_replace(config.join.clone());
        }
        self.identity_files.send_replace(files);
        Plan::note_in_use(&mut self.running, &config);
        self.current = config;
        Ok(plan.answer)
    }
}

/// Reads all files. `served` has the settings that the TCP port serves with.
fn read(sources: &Sources, served: Option<TcpConfig>) -> Result<Read, String> {
    let config = sources.read().map_err(|failure| match sources.file() {
        // Two settings may contradict each other, and only one of them is in the file.
        Some(file) if !failure.to_string().contains(&*file.to_string_lossy()) => {
            format!("with the configuration {}: {failure}", file.display())
        }
        _ => failure.to_string(),
    })?;
    let filter = Filter::new(&config.log_level).map_err(|failure| failure.to_string())?;
    let identity = config.identity_files().read().map_err(|failure| failure.to_string())?;
    let port = served.map(|served| {
        // A port with another address needs a restart. Until then the present one goes on, with the
        // contents that its files have now.
        let wanted = config.http.clone().filter(|wanted| wanted.addr == served.addr).unwrap_or(served);
        wanted.clone().read().map(|files| (wanted, files)).map_err(|why| format!("cannot serve HTTP: {why}"))
    });
    let port = port.transpose()?;
    Ok(Read { config, identity, port, filter })
}

fn refused(why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Conflict, format!("cannot reload: {why}; everything is as before"))
}

fn stopped() -> Problem {
    Problem::new(Code::Unavailable, "the agent stops, and applies no file any more; start it again")
}

fn log(reloaded: &Reloaded) {
    match reloaded {
        Ok(ReloadedView { applied, restart, overruled, reopened, .. }) => {
            let [applied, reopened] = [applied, reopened].map(|names| names.join(" "));
            // SIGHUP or a request made the agent read its files again. `applied` names what changed
            // and is in use now. What to do: nothing.
            tracing::info!(applied, reopened, "reloaded the configuration and its files");
            if !restart.is_empty() {
                // These settings differ from those of the start, and change only with a new start.
                // What to do: restart the agent, or undo the change in the file.
                tracing::warn!(
                    settings = restart.join(" "),
                    "settings changed that a reload cannot apply; restart the agent to apply them"
                );
            }
            if !overruled.is_empty() {
                // These settings changed in the file, and a flag or a variable of the agent has
                // them. What to do: leave the flag out at the next start, or change it there.
                tracing::warn!(
                    settings = overruled.join(" "),
                    "settings changed in the file that a flag or a variable overrules; nothing changed"
                );
            }
        }
        // A file cannot be used. Nothing was applied. What to do: as the cause says, then reload
        // again.
        Err(Problem { detail, .. }) => tracing::error!(cause = detail, "the reload changed nothing"),
    }
}
