//! `kinfolk agent`: runs a member until a signal or `kinfolk leave` stops it.
//!
//! It starts the member, serves its API, joins, logs every event, and leaves.

mod command_check;
mod event_log;
mod events;
mod export;
mod identity;
mod identity_watch;
mod joining;
mod reload;
mod services;
mod signals;
mod state;

use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, ClusterError, TransportError};
use tokio::sync::{Notify, watch};

use crate::api::{AppState, ControlSocket, Reload, Reports, Server, TcpPort};
use crate::cli::AgentArgs;
use crate::config::{AgentConfig, Sources};
use crate::exit::{Failure, Status};
use crate::logs::{self, Levels};
use crate::trust_store;
use event_log::{EventLog, Rotation};
use export::Export;
use reload::Reloader;
use services::RunningServices;
use signals::{Action, Signals};

pub(crate) fn run(args: Box<AgentArgs>) -> Result<(), Failure> {
    trust_store::restart_without();
    let sources = Sources::new(args.config, args.settings);
    let config = sources.read()?;
    let identity = config.identity_files().read()?;
    // One thread. An idle agent needs a thousandth of a core, and each further thread takes memory
    // of its own. Nothing here computes for longer than a handshake takes, about 1 ms. A failure
    // means that the system refused a file descriptor. What to do: raise the limits of the process
    // (`ulimit -n`), then start the agent again.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot start the async runtime: {error}"))
    })?;
    let export = Export::start(runtime.handle(), &identity)?;
    let (_flush, levels) = logs::start(&config.log_level, config.log_format, export.layer())?;
    identity::warn_of_open_key(&config.key);
    let done = runtime.block_on(async {
        let done = run_member(config, sources, levels, identity).await;
        export.stop().await;
        done
    });
    // 100 ms: after a second signal, tasks that still run must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

/// Runs the agent from its start to its end.
async fn run_member(
    config: AgentConfig,
    sources: Sources,
    levels: Levels,
    identity: kinfolk::NodeIdentity,
) -> Result<(), Failure> {
    // Signals first: one that arrives during the start must not kill the process.
    let mut signals = Signals::listen()?;
    // The socket before the member: a second agent with the same settings stops here, before it can
    // claim the name in the cluster.
    let socket = ControlSocket::bind(&config.socket).await?;
    let port = match config.http.clone() {
        Some(http) => Some(TcpPort::bind(http, names_of(&identity)).await?),
        None => None,
    };
    let cluster = Cluster::start(config.cluster(identity.clone())).map_err(start_failure)?;
    // Subscribe before the join, so that the log has the first event.
    let events = cluster.subscribe();
    let opened =
        config.event_log.as_deref().map(|path| EventLog::open(path, cluster.id().clone(), cluster.addr()));
    let event_log = opened.transpose()?;
    let rotation = event_log.as_ref().map(EventLog::rotation).map(Arc::new);
    let logging = tokio::spawn(events::log_all(events, event_log));
    let for_clients = cluster.subscribe();
    // The member runs and serves its socket; it has not joined yet. What to do: nothing.
    tracing::info!(
        node = %cluster.id(), cluster = %identity.cluster(), addr = %cluster.addr(),
        socket = %config.socket.display(), http = port.as_ref().and_then(|port| Some(port.addr()?.to_string())),
        "started"
    );
    let reports = Reports::default();
    let services = RunningServices::start(&cluster, config.services.clone(), reports.clone());
    let (reload, requests) = Reload::new();
    let (seeds, wanted_seeds) = watch::channel(config.join.clone());
    let (identity_files, watched_files) = watch::channel(config.identity_files());
    let left = Arc::new(Notify::new());
    let state = AppState::new(cluster.clone(), identity, Arc::clone(&left), (reload.clone(), reports));
    let reloader = Reloader {
        cluster: cluster.clone(),
        sources,
        running: config.settings.clone(),
        port: port.as_ref().map(TcpPort::access).zip(config.http.clone()),
        current: config,
        services,
        levels,
        rotation: rotation.clone(),
        seeds,
        identity_files,
    };
    let reloading = tokio::spawn(reloader.run(requests));
    let watching = tokio::spawn(identity_watch::run(cluster.clone(), watched_files));
    let followed = state.clone();
    let following = tokio::spawn(async move { followed.follow(for_clients).await });
    let server = Server::start(socket, port, state.clone());

    let stopped = tokio::select! {
        // Signals win over the other branches, so that a stop is never delayed by them.
        biased;
        signal = handle_signals(&mut signals, &cluster, &reload, rotation.as_deref()) => {
            // SIGTERM or SIGINT arrived; the member leaves gracefully. What to do: nothing; a
            // second signal ends the agent at once.
            tracing::info!(signal, "stopping; a second signal stops at once");
            Ok(())
        }
        () = left.notified() => {
            // `kinfolk leave` was run: the member does not rejoin by itself at its next start. What
            // to do: nothing; to bring it back, start it with --join.
            tracing::info!("left permanently, as `kinfolk leave` asked; stopping");
            Ok(())
        }
        failure = joining::join_and_stay(&state, wanted_seeds) => Err(failure),
    };
    let ended = shut_down(&cluster, &mut signals).await;
    // Ending the server removes the socket's file. Wait for the events first: the last one comes
    // when the member has stopped, and clients of the API get it.
    let _ended = following.await;
    server.stop().await;
    reloading.abort();
    watching.abort();
    let _ended = logging.await;
    stopped.and(ended)
}

/// Shuts the member down. A second signal stops it at once.
async fn shut_down(cluster: &Cluster, signals: &mut Signals) -> Result<(), Failure> {
    tokio::select! {
        biased;
        _ = signals.stop() => {
            cluster.shutdown_now();
            // The agent stopped without leaving, so the other members declare it failed. What to
            // do: nothing; send one signal only if the agent is to leave gracefully.
            Err(Failure::new(
                Status::Failed,
                "a second signal stopped the agent at once; the other members will declare it failed",
            ))
        }
        report = cluster.shutdown() => {
            // The agent has ended; `clean` says whether every phase of the shutdown ended within
            // its limit. What to do: nothing; if `clean` is false, see the lines of the phases.
            tracing::info!(clean = report.is_clean(), "stopped");
            Ok(())
        }
    }
}

/// Does what the signals ask for. Returns the name of the signal that asks to stop.
async fn handle_signals(
    signals: &mut Signals,
    cluster: &Cluster,
    reload: &Reload,
    rotation: Option<&Rotation>,
) -> &'static str {
    loop {
        match signals.next().await {
            Action::Stop(name) => return name,
            // The task that reloads logs what came of it.
            Action::Reload => reload.request(),
            Action::LogState => state::log(cluster, rotation.map_or(0, Rotation::lost)).await,
        }
    }
}

/// The names under which clients may reach the HTTP port of this node.
fn names_of(identity: &kinfolk::NodeIdentity) -> Vec<String> {
    vec![identity.id().to_string(), identity.name().to_string()]
}

/// The failure for an error of [`Cluster::start`]. Scripts tell the causes apart by the exit
/// status.
fn start_failure(error: ClusterError) -> Failure {
    let status = match &error {
        ClusterError::Transport(TransportError::PortInUse { .. } | TransportError::Bind { .. })
        | ClusterError::Advertise { .. } => Status::Address,
        ClusterError::Transport(TransportError::Tls { .. }) => Status::Identity,
        ClusterError::Transport(TransportError::Config { .. })
        | ClusterError::Health(_)
        | ClusterError::State(_)
        | ClusterError::Gossip(_) => Status::Config,
        _ => Status::Failed,
    };
    Failure::new(status, error)
}
