//! The client's side of the control socket.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Request, Response, default_path};
use crate::exit::{Failure, Status};

/// The maximum length of a response in bytes: more than a group in use takes. (The limits
/// alone, 65,536 members with 16 KiB of tags each, would allow 1 GiB.)
const RESPONSE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The time limit of a response. It is that of the server, which then closes the connection.
const RESPONSE_LIMIT: Duration = Duration::from_secs(10);

/// Sends a request to the agent at `path`, or at the default path, and waits for the response.
pub(crate) fn send_request(path: Option<&Path>, request: &Request) -> Result<Response, Failure> {
    let path = path.map_or_else(default_path, Path::to_owned);
    let runtime = tokio::runtime::Builder::new_current_thread()
        // The system refused what the runtime needs. What to do: raise the limits of this user.
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(Status::Failed, format_args!("cannot start the async runtime: {error}"))
        })?;
    runtime.block_on(exchange_with_limit(&path, request))
}

async fn exchange_with_limit(path: &Path, request: &Request) -> Result<Response, Failure> {
    let connected = UnixStream::connect(path).await;
    let path = path.display();
    let stream = connected.map_err(|error| {
        let text = if error.kind() == ErrorKind::PermissionDenied {
            // The socket has mode 0600 and belongs to another user. What to do: run the command as
            // the user of the agent, or as root.
            format!(
                "cannot connect to {path}: permission denied; run this as the user of the agent, or as root"
            )
        } else {
            // Nothing listens at the path. What to do: start an agent, or give the path of its
            // socket with --socket or KINFOLK_SOCKET.
            let advice = "start one with `kinfolk agent`, or give its socket with --socket";
            format!("no agent answers at {path} ({error}); {advice}")
        };
        Failure::new(Status::Socket, text)
    })?;
    match timeout(RESPONSE_LIMIT, exchange(stream, request)).await {
        // The agent refused the request, and `why` is its own text. What to do: as the text says.
        Ok(Ok(Response::Refused { why })) => Err(Failure::new(Status::Failed, why)),
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            // The peer at the socket is not an agent, or one of another version. What to do: use
            // the program of the agent's version.
            let advice = "check that a kinfolk agent of this version listens there";
            Err(Failure::new(
                Status::Socket,
                format_args!("cannot read the response at {path}: {error}; {advice}"),
            ))
        }
        Err(_) => {
            // The agent's process is stopped (SIGSTOP) or has no CPU. What to do: check the process
            // with `ps`, and the load of the machine.
            let message = format!(
                "the agent at {path} did not respond within {RESPONSE_LIMIT:?}; check that it is not stopped"
            );
            Err(Failure::new(Status::Socket, message))
        }
    }
}

async fn exchange(mut stream: UnixStream, request: &Request) -> std::io::Result<Response> {
    let (read, mut write) = stream.split();
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(read.take(RESPONSE_BYTES_MAX)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
