//! `kinfolk agent`: runs a member until a signal or `kinfolk leave` stops it.
//!
//! It starts the member, serves the control socket, joins, logs every event, and leaves.

mod command_check;
mod event_log;
mod events;
mod export;
mod identity;
mod services;
mod signals;
mod state;

use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, ClusterError, TransportError};
use tokio::sync::Notify;

use crate::cli::AgentArgs;
use crate::config::AgentConfig;
use crate::control::{self, ControlSocket};
use crate::exit::{Failure, Status};
use crate::logs;
use crate::trust_store;
use event_log::{EventLog, Rotation};
use export::Export;
use signals::{Action, Signals};

pub(crate) fn run(args: Box<AgentArgs>) -> Result<(), Failure> {
    trust_store::restart_without();
    let config = AgentConfig::read(args.config.as_deref(), args.settings)?;
    let identity = identity::read(&config)?;
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
    let id = identity.cluster().clone();
    let cluster = Cluster::start(config.cluster(identity)).map_err(start_failure)?;
    // Subscribe before the join, so that the log has the first event.
    let events = cluster.subscribe();
    let opened =
        config.event_log.as_deref().map(|path| EventLog::open(path, cluster.id().clone(), cluster.addr()));
    let event_log = opened.transpose()?;
    let rotation = event_log.as_ref().map(EventLog::rotation);
    let logging = tokio::spawn(events::log_all(events, event_log));
    // The member runs and serves its socket; it has not joined yet. What to do: nothing.
    tracing::info!(
        node = %cluster.id(), cluster = %id, addr = %cluster.addr(), socket = %config.socket.display(),
        "started"
    );
    services::start(&cluster, config.services.clone());
    let left = Arc::new(Notify::new());
    let serving = tokio::spawn(control::serve(socket, cluster.clone(), id, Arc::clone(&left)));

    let stopped = tokio::select! {
        // Signals win over the other branches, so that a stop is never delayed by them.
        biased;
        signal = handle_signals(&mut signals, &cluster, rotation.as_ref()) => {
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
        failure = join_and_stay(&cluster, &config.join) => Err(failure),
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
    // Ending the serving task removes the socket's file. Then wait for the log: its last event
    // comes when the member has stopped.
    serving.abort();
    let _aborted = serving.await;
    let _ended = logging.await;
    stopped.and(ended)
}

/// Does what the signals ask for. Returns the name of the signal that asks to stop.
async fn handle_signals(
    signals: &mut Signals,
    cluster: &Cluster,
    rotation: Option<&Rotation>,
) -> &'static str {
    loop {
        match signals.next().await {
            Action::Stop(name) => return name,
            Action::Reopen => rotation.map_or_else(no_event_log, Rotation::reopen),
            Action::LogState => state::log(cluster, rotation.map_or(0, Rotation::lost)).await,
        }
    }
}

fn no_event_log() {
    // The agent runs without --event-log. What to do: nothing, or start it with --event-log.
    tracing::info!(
        "received SIGHUP, but there is no event log to open again; start with --event-log to have one"
    );
}

/// Joins, and then waits forever. It returns only if the join failed.
async fn join_and_stay(cluster: &Cluster, seeds: &[String]) -> Failure {
    match cluster.join(seeds).await {
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
