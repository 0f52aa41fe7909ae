//! `kinfolk agent`: a member that runs until it is told to stop. It starts the member, serves the control socket, joins,
//! logs every event, and leaves.

mod event_log;
mod events;
mod identity;
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
use signals::{Asked, Signals};

pub(crate) fn run(args: Box<AgentArgs>) -> Result<(), Failure> {
    trust_store::do_without();
    let config = AgentConfig::read(args.config.as_deref(), args.settings)?;
    let identity = identity::read(&config)?;
    let _flush = logs::start(&config.log_level, config.log_format)?;
    identity::warn_of_open_key(&config.key);
    // One thread: at rest an agent needs a thousandth of a core, each further thread takes memory of its own, and nothing here
    // computes for longer than a handshake takes, 1 ms.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Status::Failed, error))?;
    let done = runtime.block_on(live(&config, identity));
    // After a second signal nothing that still runs is waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

/// From the start of the agent to its end.
async fn live(config: &AgentConfig, identity: kinfolk::NodeIdentity) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let socket = ControlSocket::bind(&config.socket).await?;
    let id = identity.cluster().clone();
    let cluster = Cluster::start(config.cluster(identity)).map_err(start_failure)?;
    // Subscribed before anything can happen: the log begins with the first event.
    let events = cluster.subscribe();
    let opened =
        config.event_log.as_deref().map(|path| EventLog::open(path, cluster.id().clone(), cluster.addr()));
    let event_log = opened.transpose()?;
    let rotation = event_log.as_ref().map(EventLog::rotation);
    let logging = tokio::spawn(events::log_all(events, event_log));
    tracing::info!(
        node = %cluster.id(), cluster = %id, addr = %cluster.addr(), socket = %config.socket.display(),
        "started"
    );
    let left = Arc::new(Notify::new());
    let serving = tokio::spawn(control::serve(socket, cluster.clone(), id, Arc::clone(&left)));

    let stopped = tokio::select! {
        biased;
        signal = until_stopped(&mut signals, &cluster, rotation.as_ref()) => {
            tracing::info!(signal, "stopping; a second signal stops at once");
            Ok(())
        }
        () = left.notified() => {
            tracing::info!("left for good, as `kinfolk leave` asked; stopping");
            Ok(())
        }
        failure = join_and_stay(&cluster, &config.join) => Err(failure),
    };
    let ended = tokio::select! {
        biased;
        _ = signals.stop() => {
            cluster.shutdown_now();
            Err(Failure::new(Status::Failed, "stopped at once by a second signal: the others will notice a crash"))
        }
        report = cluster.shutdown() => {
            tracing::info!(clean = report.is_clean(), "stopped");
            Ok(())
        }
    };
    // The socket's file goes when its task does; the log ends with the last event.
    serving.abort();
    let _aborted = serving.await;
    let _ended = logging.await;
    stopped.and(ended)
}

/// Does what signals ask for. Returns the name of the one that asks to stop.
async fn until_stopped(
    signals: &mut Signals,
    cluster: &Cluster,
    rotation: Option<&Rotation>,
) -> &'static str {
    loop {
        match signals.next().await {
            Asked::Stop(name) => return name,
            Asked::Reopen => rotation.map_or_else(no_event_log, Rotation::reopen),
            Asked::State => state::log(cluster, rotation.map_or(0, Rotation::lost)).await,
        }
    }
}

fn no_event_log() {
    tracing::info!("SIGHUP opens the event log again, and there is none");
}

/// Joins, and then lasts for ever; it returns only if the join failed.
async fn join_and_stay(cluster: &Cluster, seeds: &[String]) -> Failure {
    match cluster.join(seeds).await {
        // What it remembers may have brought it in where no seed could.
        Err(error) if cluster.members().members().nth(1).is_none() => {
            return Failure::new(Status::Join, error);
        }
        Err(error) => {
            tracing::warn!(%error, "joined through members that it remembers, and not through a seed");
        }
        Ok(_) if seeds.is_empty() && cluster.stats().left => {
            tracing::warn!(
                "this node left for good and does not rejoin by itself: give it a seed with --join"
            );
        }
        Ok(_) if seeds.is_empty() && cluster.stats().remembered > 0 => {
            let remembered = cluster.stats().remembered;
            tracing::info!(remembered, "rejoining the members known from the state directory");
        }
        Ok(_) if seeds.is_empty() => {
            tracing::info!("waiting for others: they join with --join {}", cluster.addr());
        }
        Ok(report) if report.through.is_empty() => {
            tracing::info!(
                "the only seed is this node itself; waiting for others: they join with --join {}",
                cluster.addr()
            );
        }
        Ok(report) => {
            let through: Vec<&str> = report.through.iter().map(kinfolk::NodeId::as_str).collect();
            tracing::info!(members = report.members, through = through.join(" "), "joined");
        }
    }
    std::future::pending().await
}

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
