//! The commands' side of the API: requests over the Unix socket or over TCP.

mod connect;
mod sse;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub(crate) use sse::{Events, SseEvent};

use crate::api::Problem;
use crate::cli::ConnectArgs;
use crate::exit::{Failure, Status};
use connect::Target;

/// The maximum length of a response in bytes: more than a group in use takes. (The limits
/// alone, 65,536 members with 16 KiB of tags each, would allow 1 GiB.)
const RESPONSE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The time limit of a response: that of the agent, and some more, so that its own message arrives.
const RESPONSE_LIMIT: Duration = Duration::from_secs(15);

/// A client of one agent. Each request has a connection of its own.
#[derive(Debug)]
pub(crate) struct Client {
    target: Target,
    token: Option<HeaderValue>,
}

/// The body of a response without one.
#[derive(serde::Deserialize)]
struct Nothing;

/// Runs a command that needs the async runtime.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // The system refused what the runtime needs. What to do: raise the limits of this user.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot start the async runtime: {error}"))
    })?;
    runtime.block_on(command)
}

/// A path with this query.
pub(crate) fn query(path: &str, query: &impl Serialize) -> Result<String, Failure> {
    // The arguments cannot be part of a query, which is a defect of Kinfolk. What to do: report it.
    let query = serde_html_form::to_string(query)
        .map_err(|error| Failure::new(Status::Failed, format_args!("cannot write the query: {error}")))?;
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

impl Client {
    /// A client of the agent that the arguments name.
    pub(crate) fn new(args: &ConnectArgs) -> Result<Self, Failure> {
        let token = args.token.as_ref().map(|token| {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            // The token has characters that no token has. What to do: give the token as it stands
            // in the file of the agent.
            value.map_err(|_| {
                Failure::new(Status::Usage, "the token has a character that no token has; check --token")
            })
        });
        Ok(Self { target: Target::of(args)?, token: token.transpose()? })
    }

    /// Requests what is at this path.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, None::<&()>).await
    }

    /// Sends a request, with a body if there is one.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let exchanged = timeout(RESPONSE_LIMIT, self.exchange(method, path, body)).await;
        exchanged.unwrap_or_else(|_| {
            // The agent's process is stopped (SIGSTOP) or has no CPU. What to do: check the process
            // with `ps`, and the load of the machine.
            let message = format!(
                "the agent at {} did not respond within {RESPONSE_LIMIT:?}; check that it is not stopped",
                self.target
            );
            Err(Failure::new(Status::Socket, message))
        })
    }

    /// Sends a request whose response has no body.
    pub(crate) async fn send_for_status(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), Failure> {
        let Nothing = self.send(method, path, Some(body)).await?;
        Ok(())
    }

    /// Follows the events, after the one with the id `last` if there is one.
    pub(crate) async fn events(&self, last: Option<&str>) -> Result<Events, Failure> {
        let mut request = self.request(Method::GET, "/v1/events", Bytes::new())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            headers.insert("last-event-id", last);
        }
        let response = self.respond(request).await?;
        if response.status().is_success() {
            return Ok(Events::new(response.into_body()));
        }
        Err(self.refusal(response).await)
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let text = match body {
            // The request does not serialise, which is a defect of Kinfolk. What to do: report it.
            Some(body) => serde_json::to_vec(body).map_err(|error| {
                Failure::new(Status::Failed, format_args!("cannot write the request: {error}"))
            })?,
            None => Vec::new(),
        };
        let response = self.respond(self.request(method, path, text.into())?).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let body = self.read(response).await?;
        let text: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(text).map_err(|error| self.unreadable(&error))
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.target.host());
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        // The host of --url or an argument cannot be part of a request. What to do: correct it.
        request.body(Full::new(body)).map_err(|error| {
            Failure::new(
                Status::Usage,
                format_args!("cannot make the request {path}: {error}; check the arguments"),
            )
        })
    }

    async fn respond(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let stream = self.target.connect().await?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| self.unreadable(&error))?;
        // It ends with the response, or with the command.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| self.broken(&error))
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| {
            match error.downcast_ref::<hyper::Error>() {
                Some(broken) => self.broken(broken),
                None => self.unreadable(&error),
            }
        })
    }

    /// The failure for a connection that ended before its response, or with one that is no HTTP.
    fn broken(&self, error: &hyper::Error) -> Failure {
        if error.is_parse() {
            return self.unreadable(error);
        }
        // The agent stopped while it had the request, or ended the connection at a limit. What to
        // do: check that it still runs, and run the command again.
        Failure::new(
            Status::Socket,
            format_args!(
                "the agent at {} ended the connection before its response; check that it still runs, and try again",
                self.target
            ),
        )
    }

    /// The failure for a response that says why the agent refuses.
    async fn refusal(&self, response: Response<Incoming>) -> Failure {
        let status = response.status();
        let body = match self.read(response).await {
            Ok(body) => body,
            Err(failure) => return failure,
        };
        match serde_json::from_slice::<Problem>(&body) {
            // The agent refused the request, and `detail` is its own text. What to do: as the text
            // says.
            Ok(problem) => Failure::new(Status::Failed, problem.detail),
            Err(_) => self.unreadable(&format_args!("status {status}")),
        }
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> Failure {
        // The peer is not an agent, or one of another version. What to do: use the program of the
        // agent's version.
        let advice = "check that a kinfolk agent of this version listens there";
        Failure::new(
            Status::Socket,
            format_args!("cannot read the response at {}: {error}; {advice}", self.target),
        )
    }
}
