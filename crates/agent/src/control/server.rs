//! The agent's side of the control socket: bounded, so that whoever may open it cannot burden the member.

use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, ClusterId};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::{Answer, ControlSocket, MembersView, Question};

/// The longest question in bytes. A longer one is refused.
const QUESTION_BYTES_MAX: u64 = 64 * 1024;
/// How many are served at a time. One more waits in the system's queue.
const CLIENTS_MAX: usize = 16;
/// How long one may take, from connecting until it has read its answer; then it is cut off.
const CLIENT_LIMIT: Duration = Duration::from_secs(10);

/// Answers questions for ever. The socket goes when the future is dropped. `left` is notified when
/// the agent was told to leave.
pub(crate) async fn serve(socket: ControlSocket, cluster: Cluster, id: ClusterId, left: Arc<Notify>) {
    let free = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let permit = Arc::clone(&free).acquire_owned().await.expect("the semaphore is never closed");
        match socket.listener.accept().await {
            Ok((stream, _)) => {
                let (cluster, id, left) = (cluster.clone(), id.clone(), Arc::clone(&left));
                tokio::spawn(async move {
                    if let Ok(Err(error)) =
                        timeout(CLIENT_LIMIT, serve_one(stream, &cluster, id, &left)).await
                    {
                        tracing::debug!(%error, "a client of the control socket went away");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket does not accept; trying again in a second");
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
    BufReader::new(read.take(QUESTION_BYTES_MAX)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Question::Members) => Answer::Members(MembersView::of(cluster, id).await),
        Ok(Question::Leave) => match cluster.leave().await {
            Ok(report) => Answer::Left(report.into()),
            Err(error) => Answer::Refused { why: error.to_string() },
        },
        Ok(Question::Forget { node }) => match cluster.forget(&node).await {
            Ok(known) => Answer::Forgotten(known.as_ref().into()),
            Err(error) => Answer::Refused { why: error.to_string() },
        },
        Err(error) => {
            Answer::Refused { why: format!("this agent does not understand the question ({error})") }
        }
    };
    let has_left = matches!(answer, Answer::Left(_));
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    let written = write.write_all(&text).await.and(write.shutdown().await);
    // The agent stops even if the client does not wait for the answer.
    if has_left {
        left.notify_one();
    }
    written
}
