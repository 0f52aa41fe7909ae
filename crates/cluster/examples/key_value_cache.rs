//! A key-value cache over several members. Each key has two copies, on members that all agree on.
//! When a member is lost, reads go to the other copy.
//!
//! `cargo run --release -p kinfolk --example key_value_cache`

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use kinfolk::{AppStream, Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId, Service};
use tokio::time::{sleep, timeout};

/// One member may be lost without loss of data.
const COPIES: usize = 2;
const KEYS: usize = 100;
/// Longer than the members need to see each other on a slow machine.
const LIMIT: Duration = Duration::from_secs(30);

/// One member of the cache, with its share of the keys.
struct Node {
    cluster: Cluster,
    store: Store,
}

type Store = Arc<Mutex<HashMap<String, String>>>;

impl Node {
    async fn start(ca: &ClusterCa, name: &str, seed: Option<&Node>) -> Result<Self> {
        let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(1))?;
        let cluster = Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?;
        if let Some(seed) = seed {
            cluster.join(&[seed.cluster.addr().to_string()]).await?;
        }
        let store = Store::default();
        let (mut calls, served) = (cluster.accept("cache")?, Arc::clone(&store));
        tokio::spawn(async move {
            while let Some((_, stream)) = calls.accept().await {
                // A caller that goes away in the middle ends only its own call.
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        // Port 0: the service is reached by the cluster's own streams.
        cluster.offer("cache", Service::new(0)).await?;
        Ok(Self { cluster, store })
    }

    /// Stores a value at all members that hold the key.
    async fn put(&self, key: &str, value: &str) -> Result<()> {
        for lease in self.cluster.select("cache").replicas(key, COPIES, None)? {
            self.call(lease.node(), &format!("{key}={value}")).await?;
            lease.success();
        }
        Ok(())
    }

    /// Reads a value from the first member that holds the key and answers.
    async fn get(&self, key: &str) -> Result<String> {
        for lease in self.cluster.select("cache").replicas(key, COPIES, None)? {
            match self.call(lease.node(), key).await {
                Ok(value) if !value.is_empty() => return Ok(value),
                // It took the place of a lost member, and has no copy yet.
                Ok(_) => lease.success(),
                Err(_) => lease.failure(),
            }
        }
        anyhow::bail!("no member has {key}")
    }

    async fn call(&self, node: &NodeId, request: &str) -> Result<String> {
        if node == self.cluster.id() {
            return Ok(answer(request, &self.store));
        }
        let mut stream = self.cluster.open_stream(node, "cache").await?;
        stream.send(Bytes::copy_from_slice(request.as_bytes())).await?;
        stream.finish()?;
        let reply = stream.receive().await?.unwrap_or_default();
        Ok(String::from_utf8(reply.to_vec())?)
    }
}

/// A request is `key`, or `key=value` to store it. The answer is the value, empty without one.
fn answer(request: &str, store: &Store) -> String {
    let mut store = store.lock().expect("no holder of the lock panics");
    match request.split_once('=') {
        Some((key, value)) => store.insert(key.to_owned(), value.to_owned()).unwrap_or_default(),
        None => store.get(request).cloned().unwrap_or_default(),
    }
}

async fn serve(mut stream: AppStream, store: Store) -> Result<()> {
    let mut request = Vec::new();
    while let Some(piece) = stream.receive().await? {
        request.extend_from_slice(&piece);
    }
    let answer = answer(std::str::from_utf8(&request)?, &store);
    stream.send(answer.into()).await?;
    Ok(stream.close().await?)
}

/// Runs the cache, loses a member, and reads all keys again.
///
/// # Errors
/// When a member does not start, or a key is lost.
pub(crate) async fn run() -> Result<()> {
    let ca = ClusterCa::create(&ClusterId::new("example")?)?;
    let mut nodes: Vec<Node> = Vec::new();
    for name in ["cache-1", "cache-2", "cache-3", "cache-4", "cache-5"] {
        nodes.push(Node::start(&ca, name, nodes.first()).await?);
    }
    // All place the keys alike once their views agree, which the fingerprint of the ring tells.
    let fingerprint = |node: &Node| node.cluster.select("cache").ring(1).fingerprint();
    let agree = |nodes: &[Node], count: usize| {
        let known = |node: &Node| node.cluster.services("cache").len() == count;
        nodes.iter().all(|node| known(node) && fingerprint(node) == fingerprint(&nodes[0]))
    };
    timeout(LIMIT, async {
        while !agree(&nodes, 5) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await?;
    for number in 0..KEYS {
        nodes[number % 5].put(&format!("user:{number}"), &format!("value {number}")).await?;
    }
    let shares: Vec<usize> =
        nodes.iter().map(|node| node.store.lock().expect("no holder of the lock panics").len()).collect();
    println!("{KEYS} keys, {COPIES} copies each, by member: {shares:?}");

    let lost = nodes.pop().context("five members")?;
    lost.cluster.shutdown_now();
    println!("{} is lost", lost.cluster.id());
    timeout(LIMIT, async {
        while !agree(&nodes, 4) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await?;
    for number in 0..KEYS {
        let value = nodes[number % 4].get(&format!("user:{number}")).await?;
        ensure!(value == format!("value {number}"), "user:{number} is {value:?}");
    }
    println!("all {KEYS} keys are still there");
    for node in nodes {
        node.cluster.shutdown().await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    run().await
}
