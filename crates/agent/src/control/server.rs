//! The agent's side of the control socket. Its limits keep a client from burdening the member.

use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, ClusterId, Condition, Health};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::{ControlSocket, MaintenanceView, MembersView, Request, Response};

/// The maximum length of a request in bytes. The agent refuses a longer one.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;
/// The maximum number of clients at a time. Further clients wait in the system's queue.
const CLIENTS_MAX: usize = 16;
/// The time limit of one client, from its connection until it has read the response. Then the agent
/// closes the connection, so that stalled clients cannot hold all places.
const CLIENT_LIMIT: Duration = Duration::from_secs(10);

/// Serves requests forever. Dropping the future removes the socket. It notifies `left` when a
/// request made the agent leave.
pub(crate) async fn serve(socket: ControlSocket, cluster: Cluster, id: ClusterId, left: Arc<Notify>) {
    let free = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        // Take a place before accepting: the client over the limit waits in the system's queue.
        let permit = Arc::clone(&free).acquire_owned().await.expect("the semaphore is never closed");
        match socket.listener.accept().await {
            Ok((stream, _)) => {
                let (cluster, id, left) = (cluster.clone(), id.clone(), Arc::clone(&left));
                tokio::spawn(async move {
                    if let Ok(Err(error)) =
                        timeout(CLIENT_LIMIT, serve_one(stream, &cluster, id, &left)).await
                    {
                        // The client ended before it had read the response. What to do: nothing.
                        tracing::debug!(%error, "a client of the control socket closed the connection");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // The process has no free file descriptor, in most cases. The member goes on. What
                // to do: raise the limit of descriptors (`ulimit -n`).
                tracing::warn!(%error, "cannot accept at the control socket; trying again in 1 s");
                // The pause keeps the loop from using all CPU while the error lasts.
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve_one(
    mut stream: UnixStream,
    cluster: &Cluster,
    id: ClusterId,
    left: &Notify,
) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(REQUEST_BYTES_MAX)).read_line(&mut line).await?;
    let response = match serde_json::from_str(&line) {
        Ok(Request::Members) => Response::Members(MembersView::of(cluster, id).await),
        Ok(Request::Leave) => match cluster.leave().await {
            Ok(report) => Response::Left(report.into()),
            Err(error) => Response::Refused { why: error.to_string() },
        },
        Ok(Request::Forget { node }) => match cluster.forget(&node).await {
            Ok(known) => Response::Forgotten(known.as_ref().into()),
            Err(error) => Response::Refused { why: error.to_string() },
        },
        Ok(Request::Maintenance { seconds, note }) => maintenance(cluster, seconds, &note).await,
        Ok(Request::EndMaintenance) => end_maintenance(cluster).await,
        Err(error) => {
            // The client sent something else than a request of this version. What to do: use the
            // program of the agent's version.
            Response::Refused { why: format!("this agent does not understand the request: {error}") }
        }
    };
    let has_left = matches!(response, Response::Left(_));
    let mut text = serde_json::to_vec(&response)?;
    text.push(b'\n');
    let written = write.write_all(&text).await.and(write.shutdown().await);
    // Notify after writing the response, which the stop would cut off; and even if the client did
    // not wait for it.
    if has_left {
        left.notify_one();
    }
    written
}

/// Announces a planned absence. The member ends it after its time, not when the client ends.
async fn maintenance(cluster: &Cluster, seconds: u32, note: &str) -> Response {
    let (length, longest) = (Duration::from_secs(seconds.into()), Condition::MAINTENANCE_MAX);
    if length.is_zero() || length > longest {
        // The library would shorten it silently, and the operator would rely on the longer time.
        let longest = longest.as_secs();
        return Response::Refused {
            why: format!("a maintenance of {seconds} s is not possible; give 1 to {longest} s"),
        };
    }
    match cluster.maintenance(length, note).await {
        Ok(_runs_on) => {
            // The note as the other members see it: a long one is cut.
            let note = Condition::maintenance(length, note).note().to_owned();
            Response::Maintenance(MaintenanceView { name: cluster.id().clone(), seconds, note })
        }
        Err(error) => Response::Refused { why: error.to_string() },
    }
}

/// Ends the planned absence. Without one it changes nothing that the other members see.
async fn end_maintenance(cluster: &Cluster) -> Response {
    let members = cluster.members();
    let mine = members.get(cluster.id());
    let was = mine.is_some_and(|mine| mine.condition.health() == Health::Maintenance);
    match cluster.set_condition(Condition::Passing).await {
        Ok(()) => Response::MaintenanceEnded { name: cluster.id().clone(), was },
        Err(error) => Response::Refused { why: error.to_string() },
    }
}
