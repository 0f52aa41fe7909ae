//! The HTTP client of the export. The exporter has a thread of its own without a runtime, so the
//! client runs on that of the agent. It has a connection for each request: there is one every few
//! seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::collector::Collector;

/// How long one request to the collector may take. The exporter sends the next spans after it.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest answer in bytes. A collector says which spans it did not take, if any.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A client whose requests run on a runtime of tokio.
#[derive(Debug, Clone)]
pub(super) struct OnRuntime {
    collector: Arc<Collector>,
    runtime: Handle,
    /// Why the last request failed.
    failed: Arc<Mutex<Option<String>>>,
}

impl OnRuntime {
    pub(super) fn new(collector: Collector, runtime: Handle) -> Self {
        Self { collector: Arc::new(collector), runtime, failed: Arc::default() }
    }

    /// Logs the result of a request if it is another one than that of the request before.
    fn note(&self, result: Result<u16, String>) {
        let cause = match result {
            Ok(200..=299) => None,
            Ok(status @ (401 | 403)) => {
                Some(format!("it answers with status {status}; check the headers and the token for it"))
            }
            Ok(status) => {
                Some(format!("it answers with status {status}; check that the path takes OTLP over HTTP"))
            }
            Err(why) => Some(why),
        };
        let before = {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *failed, cause.clone())
        };
        let collector = &self.collector.url;
        match (before, cause) {
            (before, Some(cause)) if before.as_ref() != Some(&cause) => {
                // The collector cannot be reached, does not trust this agent, or refuses the
                // spans. They are lost after some attempts; the member itself goes on. What to do:
                // as the cause says.
                tracing::warn!(%collector, cause, "cannot export spans");
            }
            (Some(_), None) => {
                // The collector takes spans again. What to do: nothing.
                tracing::info!(%collector, "exports spans again");
            }
            _ => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let collector = Arc::clone(&self.collector);
        let sending = self.runtime.spawn(async move { timeout(LIMIT, send(collector, request)).await });
        let sent =
            sending.await?.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}; check that it runs")));
        self.note(sent.as_ref().map(|response| response.status().as_u16()).map_err(Clone::clone));
        Ok(sent?)
    }
}

/// Sends one request, and reads the whole answer.
async fn send(collector: Arc<Collector>, mut request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let of = Arc::clone(&collector);
    // The file may be on a slow disk.
    let token =
        tokio::task::spawn_blocking(move || of.token()).await.map_err(|error| error.to_string())??;
    let url = &collector.url;
    let authority = url.authority().expect("an address without a host is refused at the start");
    let host = HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token);
    }
    // A request to a server, and not to a proxy, has the path alone.
    let path = url.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| format!("cannot request {path}"))?;

    let default = if collector.tls.is_some() { 443 } else { 80 };
    let port = authority.port_u16().unwrap_or(default);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port)).await.map_err(|error| {
        format!("cannot connect to {host}:{port}: {error}; check the address, and that it runs")
    })?;
    match &collector.tls {
        None => exchange(stream, request).await,
        Some((connector, name)) => {
            let stream = connector.connect(name.clone(), stream).await.map_err(|error| {
                format!(
                    "the TLS handshake with {host}:{port} failed: {error}; check its certificate, and the CA of \
                     OTEL_EXPORTER_OTLP_CERTIFICATE"
                )
            })?;
            exchange(stream, request).await
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, String> {
    let broken =
        |error: &dyn std::fmt::Display| format!("the exchange failed: {error}; check that it speaks HTTP");
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| broken(&error))?;
    // It ends with the response.
    tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await.map_err(|error| broken(&error))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| broken(&error))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
