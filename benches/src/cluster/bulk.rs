//! Measures a bulk transfer over an application stream.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use kinfolk::Cluster;
use tokio::time::{Instant, timeout};

use crate::numbers::Spread;

/// The length of a transfer in each direction, in bytes.
const BYTES: usize = 100_000_000;
/// The number of transfers.
const ROUNDS: usize = 5;

/// The bytes in one call of `send`: 64 KiB, as many as a stream buffers by default.
const PIECE: usize = 1 << 16;

/// The time limit: longer than a transfer takes on the slowest machine.
const LIMIT: Duration = Duration::from_mins(2);

const SERVICE: &str = "bulk";

/// The rates of a transfer in megabytes a second, by the sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bulk {
    /// The rate from the member that opens the stream, and so dials the connection.
    pub(super) up_mb_s: f64,
    /// The rate from the member that accepts the stream.
    pub(super) down_mb_s: f64,
}

/// The median rates of the rounds. In each round `from` opens a stream to `to` and sends. Then `to`
/// sends as much.
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
        let (_, mut stream) =
            listener.accept().await.context("the listener ended before a stream arrived")?;
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
        // The first answer shows that all bytes have arrived: the accepter answers after the last
        // one.
        let first = stream.receive().await?.context("the accepter ended the stream without an answer")?;
        let (up, turned, mut received) = (begun.elapsed(), Instant::now(), first.len());
        while let Some(piece) = stream.receive().await? {
            received += piece.len();
        }
        anyhow::ensure!(received == BYTES, "the accepter sent {received} bytes; {BYTES} were expected");
        let rate = |took: Duration| BYTES as f64 / 1e6 / took.as_secs_f64();
        Ok(Bulk { up_mb_s: rate(up), down_mb_s: rate(turned.elapsed()) })
    };
    let bulk = timeout(LIMIT, transfer).await.context("the transfer did not end within two minutes")??;
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
