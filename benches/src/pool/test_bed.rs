//! The test bed of all measurements: a server that echoes, a connected client of each variant, and
//! the loop in which callers make requests through one client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use kinfolk_transport::{ClusterCa, Incoming, NodeIdentity, Peer, PeerName, Transport, TransportConfig};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::fresh::Fresh;
use super::lookup::Lookup;
use super::raw::RawClient;
use super::variant::{Client, Variant};
use crate::host::cpu_time;

/// The validity of the certificates: longer than any run.
const VALIDITY: Duration = Duration::from_hours(24);

/// The requests, and the number of callers that make them at the same time.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The number of callers. Each makes one request after the other.
    pub callers: usize,
    /// The delay of the server's answer in milliseconds, at most 255. Tokio's timer rounds up to
    /// the next millisecond.
    pub delay_ms: u8,
    /// The length of the request and of the answer in bytes, 1 or more.
    pub bytes: usize,
}

impl Load {
    /// The body of a request. Its first byte is the delay of the answer.
    pub(super) fn body(self) -> Bytes {
        let mut body = vec![0; self.bytes.max(1)];
        body[0] = self.delay_ms;
        body.into()
    }
}

/// The server of a benchmark, and the certificate authority of its cluster.
pub(super) struct Server {
    ca: ClusterCa,
    pub(super) transport: Transport,
}

/// A server with a connected client of each variant.
pub struct TestBed {
    server: Server,
    clients: Vec<(Variant, Client)>,
}

/// The requests of all callers in a window.
pub(super) struct Done {
    /// The requests that ended within the window.
    pub(super) in_time: u64,
    /// The latency of each request in microseconds. Requests that ended after the window count too:
    /// otherwise the slow ones would be missing.
    pub(super) latencies: Vec<f64>,
    /// The CPU time of client and server together for each request, in microseconds. Other programs
    /// hardly change it.
    pub(super) cpu_us: f64,
}

impl Server {
    /// Starts the server. It echoes until its transport is closed.
    pub(super) fn start() -> Result<Self> {
        let ca = ClusterCa::create(&ClusterId::new("bench")?)?;
        let (transport, incoming) = bind(issue(&ca, "server")?)?;
        tokio::spawn(echo(incoming));
        Ok(Self { ca, transport })
    }

    /// An identity for a node with this name.
    pub(super) fn identity(&self, name: &str) -> Result<NodeIdentity> {
        issue(&self.ca, name)
    }

    /// A QUIC endpoint without the transport, for a node with this name.
    pub(super) fn raw_client(&self, name: &str) -> Result<RawClient> {
        let server_name = PeerName::new(self.transport.id().clone(), self.ca.cluster().clone());
        RawClient::new(&self.identity(name)?, self.transport.local_addr().socket(), &server_name)
    }

    pub(super) fn peer(&self) -> Peer {
        peer(&self.transport)
    }
}

impl TestBed {
    /// Starts the server and connects the clients.
    ///
    /// # Errors
    /// When a port cannot be bound or a connection is refused.
    pub async fn start() -> Result<Self> {
        let server = Server::start()?;
        let mut clients = Vec::new();
        for variant in Variant::ALL {
            let client = connect(&server, variant).await?;
            // The first request confirms the connection, so no measurement contains the handshake.
            client.request(&Load { callers: 1, delay_ms: 0, bytes: 1 }.body()).await?;
            clients.push((variant, client));
        }
        Ok(Self { server, clients })
    }

    /// Lets `load.callers` callers together make `count` requests. Returns the time of all of them.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn time(&self, variant: Variant, load: Load, count: u64) -> Result<Duration> {
        let (client, body) = (self.client(variant), load.body());
        let begun = Instant::now();
        let mut callers = JoinSet::new();
        for caller in 0..load.callers as u64 {
            let (client, body) = (client.clone(), body.clone());
            let callers_in_all = load.callers as u64;
            let share = count / callers_in_all + u64::from(caller < count % callers_in_all);
            callers.spawn(async move {
                for _ in 0..share {
                    client.request(&body).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller??;
        }
        Ok(begun.elapsed())
    }

    /// Lets callers make requests for `window`. Then it waits for the open requests, which do not
    /// count as requests of the window.
    pub(super) async fn window(&self, variant: Variant, load: Load, window: Duration) -> Result<Done> {
        let (client, body) = (self.client(variant), load.body());
        let mut callers = JoinSet::new();
        let (end, cpu_before) = (Instant::now() + window, cpu_time());
        for _ in 0..load.callers {
            callers.spawn(call_until(end, client.clone(), body.clone()));
        }
        let (mut latencies, mut in_time) = (Vec::new(), 0);
        while let Some(caller) = callers.join_next().await {
            let (of_caller, in_time_of_caller) = caller??;
            latencies.extend(of_caller);
            in_time += in_time_of_caller;
        }
        let cpu_us = cpu_time().saturating_sub(cpu_before).as_secs_f64() * 1e6 / latencies.len() as f64;
        Ok(Done { in_time, latencies, cpu_us })
    }

    /// A client of the same server that opens a connection for each request.
    ///
    /// # Errors
    /// When the client's endpoint does not start.
    pub fn fresh(&self) -> Result<Fresh> {
        Fresh::of(&self.server)
    }

    /// Pools of several sizes, with their own peers.
    ///
    /// # Errors
    /// When a port cannot be bound or a connection is refused.
    pub async fn lookup(&self) -> Result<Lookup> {
        Lookup::connect(&self.server).await
    }

    /// Closes the clients and the server.
    pub async fn close(self) {
        const LIMIT: Duration = Duration::from_secs(1);
        if let Client::StreamSplit(transport, _) = self.client(Variant::StreamSplit) {
            transport.close(LIMIT).await;
        }
        drop(self.clients);
        self.server.transport.close(LIMIT).await;
    }

    fn client(&self, wanted: Variant) -> &Client {
        let found = self.clients.iter().find(|(variant, _)| *variant == wanted);
        &found.expect("`start` makes a client of each variant").1
    }
}

/// Makes requests until `end`. Returns the latency of each request in microseconds, and the number
/// of requests that ended in time.
async fn call_until(end: Instant, client: Client, body: Bytes) -> Result<(Vec<f64>, u64)> {
    let (mut latencies, mut in_time) = (Vec::new(), 0);
    let mut begun = Instant::now();
    while begun < end {
        client.request(&body).await?;
        let done = Instant::now();
        latencies.push((done - begun).as_secs_f64() * 1e6);
        in_time += u64::from(done <= end);
        begun = done;
    }
    Ok((latencies, in_time))
}

async fn connect(server: &Server, variant: Variant) -> Result<Client> {
    // A node's name is a label, which may not contain an underscore.
    let name = variant.name().replace('_', "-");
    Ok(match variant {
        Variant::StreamSplit => Client::StreamSplit(bind(server.identity(&name)?)?.0, server.peer()),
        Variant::MutexHold => {
            Client::MutexHold(Arc::new(Mutex::new(server.raw_client(&name)?.connect().await?)))
        }
        Variant::MutexOpen => {
            Client::MutexOpen(Arc::new(Mutex::new(server.raw_client(&name)?.connect().await?)))
        }
        Variant::RawHandle => Client::RawHandle(Arc::new(server.raw_client(&name)?.connect().await?)),
    })
}

/// Answers each request with the request's body. The body's first byte is the delay in
/// milliseconds.
async fn echo(mut incoming: Incoming) {
    while let Some(request) = incoming.recv().await {
        let Some(responder) = request.responder else { continue };
        let delay = Duration::from_millis(request.body.first().copied().unwrap_or(0).into());
        if delay.is_zero() {
            // This fails only if the client has closed its connection. The client's own error shows
            // that.
            let _ignored = responder.respond(request.body).await;
        } else {
            // Its own task: a delayed answer must not delay the next request.
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let _ignored = responder.respond(request.body).await;
            });
        }
    }
}

/// Starts a transport on loopback.
pub(super) fn bind(identity: NodeIdentity) -> Result<(Transport, Incoming)> {
    let listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    Ok(Transport::bind(TransportConfig::new(listen, identity))?)
}

/// The name and address of `transport`.
pub(super) fn peer(transport: &Transport) -> Peer {
    Peer::new(transport.id().clone(), transport.local_addr())
}

fn issue(ca: &ClusterCa, name: &str) -> Result<NodeIdentity> {
    Ok(ca.issue(&NodeId::new(name)?, VALIDITY)?)
}
