//! The side of the control socket that asks.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Answer, Question, default_path};
use crate::exit::{Failure, Status};

/// The longest answer in bytes: beyond what the largest group with the largest tags in use takes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Asks the agent at `path`, or where agents usually are, and waits for its answer.
pub(crate) fn ask_now(path: Option<&Path>, question: &Question) -> Result<Answer, Failure> {
    let path = path.map_or_else(default_path, Path::to_owned);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Status::Failed, error))?;
    runtime.block_on(ask(&path, question))
}

async fn ask(path: &Path, question: &Question) -> Result<Answer, Failure> {
    let connected = UnixStream::connect(path).await;
    let path = path.display();
    let stream = connected.map_err(|error| {
        let text = if error.kind() == ErrorKind::PermissionDenied {
            format!(
                "cannot connect to {path}: permission denied; run this as the user of the agent, or as root"
            )
        } else {
            let advice = "start one with `kinfolk agent`, or give its socket with --socket";
            format!("no agent answers at {path} ({error}); {advice}")
        };
        Failure::new(Status::Socket, text)
    })?;
    match timeout(ANSWER_LIMIT, exchange(stream, question)).await {
        Ok(Ok(Answer::Refused { why })) => Err(Failure::new(Status::Failed, why)),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let advice = "is it a kinfolk agent of this version?";
            Err(Failure::new(
                Status::Socket,
                format_args!("the answer at {path} makes no sense ({error}): {advice}"),
            ))
        }
        Err(_) => {
            let message =
                format!("the agent at {path} did not answer within {ANSWER_LIMIT:?}: is it stopped?");
            Err(Failure::new(Status::Socket, message))
        }
    }
}

async fn exchange(mut stream: UnixStream, question: &Question) -> std::io::Result<Answer> {
    let (read, mut write) = stream.split();
    let mut text = serde_json::to_vec(question)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(read.take(ANSWER_BYTES_MAX)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
