//! A bulk transfer over an application stream, and the memory that it leaves behind.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use kinfolk::Cluster;
use tokio::time::{Instant, timeout};

use crate::numbers::Spread;

/// How much is sent in each direction, and how often.
const BYTES: usize = 100_000_000;
const ROUNDS: usize = 5;

const PIECE: usize = 1 << 16;

/// Beyond what a transfer takes on the slowest machine.
const LIMIT: Duration = Duration::from_mins(2);

const SERVICE: &str = "bulk";

/// Megabytes a second of a transfer, by who sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bulk {
    /// From the member that opens the stream, and so dials the connection.
    pub(super) up_mb_s: f64,
    /// From the member that accepts it.
    pub(super) down_mb_s: f64,
}

/// The medians of some rounds, in each of which `from` opens a stream to `to` and sends, and then `to` sends as much.
pub(super) async fn transfer(from: &Cluster, to: &Cluster) -> Result<Bulk> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(from, to).await?);
    }
    let median = |of: fn(&Bulk) -> f64| Spread::of(rounds.iter().map(of)).median;
    Ok(Bulk { up_mb_s: median(|bulk| bulk.up_mb_s), down_mb_s: median(|bulk| bulk.down_mb_s) })
}

async fn round(from: &Cluster, to: &Cluster) -> Result<Bulk> {
    let mut listener = to.accept(SERVICE)?;
    let accepter = tokio::spawn(async move {
        let (_, mut stream) = listener.accept().await.context("the listener has ended")?;
        let mut received = 0;
        while let Some(piece) = stream.receive().await? {
            received += piece.len();
        }
        send(&mut stream, received).await
    });
    let transfer = async {
        let mut stream = from.open_stream(to.id(), SERVICE).await?;
        let begun = Instant::now();
        send(&mut stream, BYTES).await?;
        let first = stream.receive().await?.context("nothing comes back")?;
        let (up, turned, mut received) = (begun.elapsed(), Instant::now(), first.len());
        while let Some(piece) = stream.receive().await? {
            received += piece.len();
        }
        anyhow::ensure!(received == BYTES, "{received} bytes of {BYTES} have come back");
        let rate = |took: Duration| BYTES as f64 / 1e6 / took.as_secs_f64();
        Ok(Bulk { up_mb_s: rate(up), down_mb_s: rate(turned.elapsed()) })
    };
    let bulk = timeout(LIMIT, transfer).await.context("the transfer takes more than two minutes")??;
    accepter.await??;
    Ok(bulk)
}

async fn send(stream: &mut kinfolk::AppStream, bytes: usize) -> Result<()> {
    let piece = Bytes::from(vec![0; PIECE]);
    let mut left = bytes;
    while left > 0 {
        let now = left.min(PIECE);
        stream.send(piece.slice(..now)).await?;
        left -= now;
    }
    Ok(stream.finish()?)
}
