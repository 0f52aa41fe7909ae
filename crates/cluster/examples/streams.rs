//! An application on one member sends 32 MiB to an application on another member, by its name.
//!
//! `cargo run --release -p kinfolk --example streams`

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, Listener, NodeId};

const MEBIBYTES: usize = 32;

#[tokio::main]
async fn main() -> Result<()> {
    let ca = ClusterCa::create(&ClusterId::new("example")?)?;
    let start = |name: &str| -> Result<Cluster> {
        let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(24))?;
        Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
    };
    let (store, source) = (start("store")?, start("source")?);
    source.join(&[store.addr().to_string()]).await?;
    let storing = tokio::spawn(keep(store.accept("backup")?));

    let begun = Instant::now();
    let mut stream = source.open_stream(store.id(), "backup").await?;
    let piece = Bytes::from(vec![7; 1 << 20]);
    for _ in 0..MEBIBYTES {
        // Waits while the store does not keep up.
        stream.send(piece.clone()).await?;
    }
    stream.finish()?;
    let receipt = stream.receive().await?.context("the store gave no receipt")?;
    println!("{} in {:?}", String::from_utf8_lossy(&receipt), begun.elapsed());

    // An unknown name and a service without a listener have different errors.
    for (node, service) in [("nobody", "backup"), ("store", "nothing")] {
        if let Err(error) = source.open_stream(&NodeId::new(node)?, service).await {
            println!("{error}");
        }
    }
    source.shutdown().await;
    store.shutdown().await;
    storing.await?
}

/// Counts the bytes of each stream and answers with a receipt.
async fn keep(mut listener: Listener) -> Result<()> {
    while let Some((from, mut stream)) = listener.accept().await {
        let mut len = 0;
        while let Some(piece) = stream.receive().await? {
            len += piece.len();
        }
        stream.send(format!("{len} bytes kept for {from}").into()).await?;
        stream.close().await?;
    }
    Ok(())
}
