//! Joins the group at the start, and again when a reload changes the seeds.

use kinfolk::{Cluster, JoinError, JoinReport};
use tokio::sync::watch;

use crate::api::AppState;
use crate::exit::{Failure, Status};

/// Joins, and joins again with each change of the seeds. It returns only if the first join failed:
/// then the member is alone, and was never in the group that its operator wants.
pub(super) async fn join_and_stay(state: &AppState, mut seeds: watch::Receiver<Vec<String>>) -> Failure {
    let cluster = state.cluster();
    let mut is_first = true;
    loop {
        let wanted = seeds.borrow_and_update().clone();
        let joined = tokio::select! {
            biased;
            // The seeds changed: the join that is under way may never succeed with its own.
            Ok(()) = seeds.changed() => continue,
            joined = cluster.join(&wanted) => joined,
        };
        if joined.is_ok() {
            state.set_joined();
        }
        match joined {
            Ok(report) => log(cluster, &wanted, &report),
            Err(error) if is_first && is_alone(cluster) => {
                // No seed answered, and no member known from the state directory either: the view
                // holds only this member. What to do: the error names each seed and why it failed.
                return Failure::new(Status::Join, error);
            }
            Err(error) => log_failure(&error, is_first),
        }
        is_first = false;
        if seeds.changed().await.is_err() {
            // The agent stops.
            return std::future::pending().await;
        }
    }
}

fn is_alone(cluster: &Cluster) -> bool {
    cluster.members().members().nth(1).is_none()
}

fn log_failure(error: &JoinError, is_first: bool) {
    if is_first {
        // The join failed, but members known from the state directory brought this member in. What
        // to do: check the addresses of --join; the agent goes on.
        tracing::warn!(%error, "joined through members from the state directory; no seed answered");
    } else {
        // A reload changed the seeds, and none of the new ones answered. The agent goes on, and
        // contacts them from time to time. What to do: check the addresses of `join` in the file.
        tracing::warn!(%error, "no seed answered of those that the reload brought");
    }
}

/// Logs how a join came about.
fn log(cluster: &Cluster, seeds: &[String], report: &JoinReport) {
    // The state directory says that this member left with `kinfolk leave`. What to do: start it
    // with --join to bring it back.
    if seeds.is_empty() && cluster.stats().left {
        tracing::warn!(
            "this node left permanently and does not rejoin by itself; give it a seed with --join"
        );
    // There is no seed, but the state directory has addresses. What to do: nothing.
    } else if seeds.is_empty() && cluster.stats().remembered > 0 {
        let remembered = cluster.stats().remembered;
        tracing::info!(remembered, "rejoining the members known from the state directory");
    // There is no seed and no known member: this is the first member of a cluster. What to do:
    // start the others with the --join that the line names.
    } else if seeds.is_empty() {
        tracing::info!("waiting for other members; they join with --join {}", cluster.addr());
    // --join names only this node's own address. What to do: nothing if this is the first member;
    // else add the address of another member.
    } else if report.through.is_empty() {
        tracing::info!(
            "the only seed is this node itself; waiting for other members; they join with --join {}",
            cluster.addr()
        );
    // The join succeeded through the seeds in `through`. What to do: nothing.
    } else {
        let through: Vec<&str> = report.through.iter().map(kinfolk::NodeId::as_str).collect();
        tracing::info!(members = report.members, through = through.join(" "), "joined");
    }
}
