//! `kinfolk agent`: runs a member until a signal or `kinfolk leave` stops it.
//!
//! It starts the member, serves its API, joins, logs every event, and leaves.

mod command_check;
mod event_log;
mod events;
mod export;
mod identity;
mod reload;
mod services;
mod signals;
mod state;

use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, ClusterError, TransportError};
use tokio::sync::Notify;

use crate::api::{AppState, ControlSocket, Reload, Server, TcpPort};
use crate::cli::AgentArgs;
use crate::config::AgentConfig;
use crate::exit::{Failure, Status};
use crate::logs;
use crate::trust_store;
use event_log::{EventLog, Rotation};
use export::Export;
use signals::{Action, Signals};

pub(crate) fn run(args: Box<AgentArgs>) -> Result<(), Failure> {
    trust_store::restart_without();
    let config = AgentConfig::read(args.config.as_deref(), args.settings)?;
    let identity = config.identity_files().read()?;
    // One thread. An idle agent needs a thousandth of a core, and each further thread takes memory
    // of its own. Nothing here computes for longer than a handshake takes, about 1 ms. A failure
    // means that the system refused a file descriptor. What to do: raise the limits of the process
    // (`ulimit -n`), then start the agent again.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot start the async runtime: {error}"))
    })?;
    let export = Export::start(runtime.handle(), &identity)?;
    let _flush = logs::start(&config.log_level, config.log_format, export.layer())?;
    identity::warn_of_open_key(&config.key);
    let done = runtime.block_on(async {
        let done = run_member(&config, identity).await;
        export.stop().await;
        done
    });
    // 100 ms: after a second signal, tasks that still run must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

/// Runs the agent from its start to its end.
async fn run_member(config: &AgentConfig, identity: kinfolk::NodeIdentity) -> Result<(), Failure> {
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
        socket = %config.socket.display(), http = port.as_ref().map(|port| port.addr().to_string()),
        "started"
    );
    let ttls = services::start(&cluster, config.services.clone());
    let (left, hang_up) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let reloading = tokio::spawn(reload::run(cluster.clone(), config.identity_files(), Arc::clone(&hang_up)));
    let reload = reload(rotation.clone(), port.as_ref(), hang_up);
    let state = AppState::new(cluster.clone(), identity, Arc::clone(&left), (reload, ttls));
    let followed = state.clone();
    let following = tokio::spawn(async move { followed.follow(for_clients).await });
    let server = Server::start(socket, port, state.clone());

    let stopped = tokio::select! {
        // Signals win over the other branches, so that a stop is never delayed by them.
        biased;
        signal = handle_signals(&mut signals, &state, rotation.as_deref()) => {
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
        failure = join_and_stay(&state, &config.join) => Err(failure),
    };
    let ended = tokio::select! {
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
    };
    // Ending the server removes the socket's file. Wait for the events first: the last one comes
    // when the member has stopped, and clients of the API get it.
    let _ended = following.await;
    server.stop().await;
    reloading.abort();
    let _ended = logging.await;
    stopped.and(ended)
}

/// Does what the signals ask for. Returns the name of the signal that asks to stop.
async fn handle_signals(
    signals: &mut Signals,
    state: &AppState,
    rotation: Option<&Rotation>,
) -> &'static str {
    loop {
        match signals.next().await {
            Action::Stop(name) => return name,
            Action::Reload => log_reload(state),
            Action::LogState => state::log(state.cluster(), rotation.map_or(0, Rotation::lost)).await,
        }
    }
}

/// What SIGHUP and `/v1/reload` read again.
fn reload(rotation: Option<Arc<Rotation>>, port: Option<&TcpPort>, identity: Arc<Notify>) -> Reload {
    let access = port.map(TcpPort::access);
    Reload::new(move || {
        // Its own task reads the certificate files, and logs what came of it.
        identity.notify_one();
        let mut reloaded = vec!["identity".to_owned()];
        if let Some(rotation) = &rotation {
            rotation.reopen();
            reloaded.push("event_log".to_owned());
        }
        if let Some(access) = &access {
            reloaded.extend(access.reload()?);
        }
        Ok(reloaded)
    })
}

fn log_reload(state: &AppState) {
    match state.reload() {
        // SIGHUP arrived, and these files were opened or read again. What to do: nothing.
        Ok(reloaded) => tracing::info!(settings = reloaded.join(" "), "received SIGHUP; reloaded"),
        // A file of the HTTP port cannot be used. Its settings stay as they are. What to do: as the
        // error says, then send SIGHUP again.
        Err(error) => tracing::warn!(error, "received SIGHUP, but cannot read a file again"),
    }
}

/// The names under which clients may reach the HTTP port of this node.
fn names_of(identity: &kinfolk::NodeIdentity) -> Vec<String> {
    vec![identity.id().to_string(), identity.name().to_string()]
}

/// Joins, and then waits forever. It returns only if the join failed.
async fn join_and_stay(state: &AppState, seeds: &[String]) -> Failure {
    let cluster = state.cluster();
    let joined = cluster.join(seeds).await;
    if joined.is_ok() {
        state.set_joined();
    }
    match joined {
        // No seed answered, and no member known from the state directory either: the view holds
        // only this member. What to do: the error names each seed and why it failed.
        Err(error) if cluster.members().members().nth(1).is_none() => {
            return Failure::new(Status::Join, error);
        }
        // The join failed, but members known from the state directory brought this member in. What
        // to do: check the addresses of --join; the agent goes on.
        Err(error) => {
            tracing::warn!(%error, "joined through members from the state directory; no seed answered");
        }
        // The state directory says that this member left with `kinfolk leave`. What to do: start it
        // with --join to bring it back.
        Ok(_) if seeds.is_empty() && cluster.stats().left => {
            tracing::warn!(
                "this node left permanently and does not rejoin by itself; give it a seed with --join"
            );
        }
        // There is no seed, but the state directory has addresses. What to do: nothing.
        Ok(_) if seeds.is_empty() && cluster.stats().remembered > 0 => {
            let remembered = cluster.stats().remembered;
            tracing::info!(remembered, "rejoining the members known from the state directory");
        }
        // There is no seed and no known member: this is the first member of a cluster. What to do:
        // start the others with the --join that the line names.
        Ok(_) if seeds.is_empty() => {
            tracing::info!("waiting for other members; they join with --join {}", cluster.addr());
        }
        // --join names only this node's own address. What to do: nothing if this is the first
        // member; else add the address of another member.
        Ok(report) if report.through.is_empty() => {
            tracing::info!(
                "the only seed is this node itself; waiting for other members; they join with --join {}",
                cluster.addr()
            );
        }
        // The join succeeded through the seeds in `through`. What to do: nothing.
        Ok(report) => {
            let through: Vec<&str> = report.through.iter().map(kinfolk::NodeId::as_str).collect();
            tracing::info!(members = report.members, through = through.join(" "), "joined");
        }
    }
    std::future::pending().await
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
