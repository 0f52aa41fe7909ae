//! Accepts clients and serves them. The limits keep a client from burdening the member.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::access::Client;
use super::limits;
use super::problem::{MEDIA_TYPE, Problem};
use super::router::router;
use super::socket::ControlSocket;
use super::state::AppState;
use super::tcp::{TcpAccess, TcpPort};

/// How long a client may take for the head of its next request, and so how long an unused
/// connection stays open.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long a client may read nothing. A client that follows the events loses its connection then,
/// and gets what it missed when it connects again.
const WRITE_LIMIT: Duration = Duration::from_mins(1);
/// The time limit of a TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How many bytes wait for a client, and how long the head of a request may be.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long open requests may take when the agent stops.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// The running API.
pub(crate) struct Server {
    listeners: Vec<JoinHandle<()>>,
    connections: Arc<GracefulShutdown>,
}

impl Server {
    /// Serves clients at the socket, and at the TCP port if there is one.
    pub(crate) fn start(socket: ControlSocket, port: Option<TcpPort>, state: AppState) -> Self {
        let clients = limits::clients_max();
        let graceful = Arc::new(GracefulShutdown::new());
        let router = router(state);
        let accepting = accept_all(socket, router.clone(), Arc::clone(&graceful), clients);
        let mut listeners = vec![tokio::spawn(accepting)];
        listeners
            .extend(port.map(|port| tokio::spawn(accept_all(port, router, Arc::clone(&graceful), clients))));
        Self { listeners, connections: graceful }
    }

    /// Accepts no more clients, removes the socket, and waits for open requests, for at most 1 s.
    pub(crate) async fn stop(self) {
        for listener in self.listeners {
            listener.abort();
            let _aborted = listener.await;
        }
        // A client that was just accepted still holds it; its connection ends with the agent.
        if let Some(connections) = Arc::into_inner(self.connections) {
            let _open_ones_are_cut = timeout(STOP_LIMIT, connections.shutdown()).await;
        }
    }
}

/// A place at which clients arrive.
trait Door: Send + Sync + 'static {
    const NAME: &'static str;
    type Stream: Send + 'static;

    /// Waits for the next client.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Serves a client to its end.
    fn serve(
        &self,
        stream: Self::Stream,
        router: Router,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + 'static;
}

impl Door for ControlSocket {
    const NAME: &'static str = "the control socket";
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn serve(
        &self,
        stream: UnixStream,
        router: Router,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + 'static {
        serve(stream, Client::Socket, router, watcher)
    }
}

impl Door for TcpPort {
    const NAME: &'static str = "the HTTP port";
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn serve(
        &self,
        stream: TcpStream,
        router: Router,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + 'static {
        serve_tcp(stream, Arc::clone(&self.access), router, watcher)
    }
}

/// Accepts clients, at most `clients` at a time, and serves each in a task. Dropping the future
/// closes the door; that removes the socket.
async fn accept_all<D: Door>(door: D, router: Router, graceful: Arc<GracefulShutdown>, clients: usize) {
    let free = Arc::new(Semaphore::new(clients));
    loop {
        // Take a place before accepting: the client over the limit waits in the system's queue.
        let permit = Arc::clone(&free).acquire_owned().await.expect("the semaphore is never closed");
        match door.accept().await {
            Ok(stream) => {
                let served = door.serve(stream, router.clone(), graceful.watcher());
                tokio::spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // The process has no free file descriptor, in most cases. The member goes on. What
                // to do: raise the limit of descriptors (`ulimit -n`).
                tracing::warn!(%error, place = D::NAME, "cannot accept a client of the API; trying again in 1 s");
                // The pause keeps the loop from using all CPU while the error lasts.
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve_tcp(stream: TcpStream, access: Arc<TcpAccess>, router: Router, watcher: Watcher) {
    // Without it a short answer could wait for the acknowledgement of the one before.
    let _only_slower = stream.set_nodelay(true);
    let rules = Arc::clone(&access.rules);
    let Some(tls) = access.tls() else {
        return serve(stream, Client::Tcp { rules, certificate: None }, router, watcher).await;
    };
    match timeout(HANDSHAKE_LIMIT, begins_tls(&stream)).await {
        Ok(true) => {}
        Ok(false) => return refuse_plain(stream).await,
        Err(_) => return,
    }
    match timeout(HANDSHAKE_LIMIT, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = shown.map(|certificate| certificate.clone().into_owned());
            serve(stream, Client::Tcp { rules, certificate }, router, watcher).await;
        }
        Ok(Err(error)) => {
            // The client speaks no TLS, does not trust the certificate, or showed one of another
            // authority. What to do: see the error; give the client the right CA.
            tracing::debug!(%error, "a client of the HTTP port did not complete the TLS handshake");
        }
        Err(_) => {
            // The client opened a connection and sent too little. What to do: nothing.
            tracing::debug!("a client of the HTTP port did not complete the TLS handshake in time");
        }
    }
}

/// Whether the first byte is that of a TLS handshake (RFC 8446, section 5.1).
async fn begins_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    // An error is left to the handshake, which reports it.
    !matches!(stream.peek(&mut first).await, Ok(1)) || first == [22]
}

/// Tells a client that speaks plain HTTP to a TLS port what is wrong. An alert of TLS would look
/// like a broken answer to it.
async fn refuse_plain(mut stream: TcpStream) {
    let detail = "this port uses TLS, and the request came without it; begin the URL with https://";
    let body = serde_json::to_string(&Problem::invalid(detail)).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // A client that does not read gets no answer. Then it needs none.
    let answered = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // A connection that is closed with unread bytes is reset, and the client would not see why.
        let (mut dropped, mut buffer) = (0, [0; 1_024]);
        while dropped < BUFFER_BYTES {
            match stream.read(&mut buffer).await? {
                0 => break,
                len => dropped += len,
            }
        }
        io::Result::Ok(())
    };
    let _unread = timeout(HANDSHAKE_LIMIT, answered).await;
}

/// Serves the requests of one connection.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    client: Client,
    router: Router,
    watcher: Watcher,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_LIMIT));
    let routes = TowerToHyperService::new(router);
    let marked = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), marked);
    if let Err(error) = watcher.watch(connection).await {
        // The client closed the connection early, read nothing for too long, or sent something else
        // than HTTP. What to do: nothing.
        tracing::debug!(%error, "a client of the API ended before its response");
    }
}
