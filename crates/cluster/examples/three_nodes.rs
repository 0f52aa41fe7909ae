//! Three members in one process. They join, exchange tags, and receive a broadcast. Then one
//! leaves.
//!
//! `cargo run --release -p kinfolk --example three_nodes`

use std::time::Duration;

use anyhow::{Context as _, Result};
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeId, Tags};

#[tokio::main]
async fn main() -> Result<()> {
    // In production: `kinfolk ca init`, `kinfolk ca issue`, and `NodeIdentity::from_pem`.
    let ca = ClusterCa::create(&ClusterId::new("example")?)?;
    let start = |name: &str, role: &str| -> Result<Cluster> {
        let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(24))?;
        let mut config = ClusterConfig::new(identity, "127.0.0.1:0".parse()?);
        config.tags = Tags::new([("role", role)])?;
        Ok(Cluster::start(config)?)
    };
    let web = start("web", "frontend")?;
    let mut events = web.subscribe();
    let members = [start("db-1", "db")?, start("db-2", "db")?];
    for member in &members {
        member.join(&[web.addr().to_string()]).await?;
    }
    members[0].broadcast("schema 42 is live").await?;

    // Prints what the web server sees, until the first database has left.
    let leaver = loop {
        match events.next().await.context("the member has stopped")? {
            ClusterEvent::NodeJoined { node } => {
                println!("{} joined at {} with {:?}", node.id, node.addr, node.tags);
            }
            ClusterEvent::Broadcast { from, payload } => {
                println!("{from} says: {}", String::from_utf8_lossy(&payload));
                let databases = web.nodes_with_tag("role", "db");
                println!(
                    "databases: {}",
                    databases.iter().map(|node| node.id.as_str()).collect::<Vec<_>>().join(", ")
                );
                members[0].shutdown().await;
            }
            ClusterEvent::NodeLeft { node } => break node.id.clone(),
            other => println!("{other:?}"),
        }
    };
    println!("{leaver} left; {} members stay", web.members().members().count());
    Ok(())
}
