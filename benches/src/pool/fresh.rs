//! What reuse saves: one caller that asks on the pool's connection, against one that opens a connection for each request
//! and closes it after the answer.
//!
//! The fresh connections are opened without the transport, since the pool is made not to do that; so its own bookkeeping
//! is not in their figure.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::bed::{Bed, Load, Server};
use super::raw::{RawClient, exchange, frame};
use super::variant::Variant;
use crate::numbers::Spread;

const LOAD: Load = Load { callers: 1, delay_ms: 0, bytes: 100 };

/// A client that opens a connection for each request.
pub struct Fresh(RawClient);

/// How long a request takes either way.
#[derive(Debug, Clone, Serialize)]
pub struct FreshCell {
    /// On the pool's connection, in microseconds.
    pub reused_us: Spread,
    /// On a connection of its own, in microseconds: handshake, request, close.
    pub fresh_us: Spread,
    /// How many times longer the second takes: the quotient of the medians.
    pub fresh_to_reused: f64,
}

impl Fresh {
    /// A client of this server.
    pub(super) fn of(server: &Server) -> Result<Self> {
        Ok(Self(server.raw_client("fresh")?))
    }

    /// Makes `count` requests one after the other, and says how long that took.
    ///
    /// # Errors
    /// When a connection or a request fails.
    pub async fn time(&self, count: u64) -> Result<Duration> {
        let frame = frame(&LOAD.body())?;
        let begun = Instant::now();
        for _ in 0..count {
            let mut connection = self.0.connect().await?;
            let stream = connection.open_bidirectional_stream().await?;
            exchange(stream, frame.clone()).await?;
            connection.close(0_u32.into());
        }
        Ok(begun.elapsed())
    }
}

/// Measures both in turns.
pub(super) async fn measure(bed: &Bed, fresh: &Fresh, rounds: usize) -> Result<FreshCell> {
    /// Fresh connections of one round; reused ones are so much faster that they need more for the same time.
    const FRESH: u64 = 50;
    const REUSED: u64 = 1_000;
    let per_request = |time: Duration, count: u64| time.as_secs_f64() * 1e6 / count as f64;
    let (mut reused_us, mut fresh_us) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        reused_us.push(per_request(bed.time(Variant::StreamSplit, LOAD, REUSED).await?, REUSED));
        fresh_us.push(per_request(fresh.time(FRESH).await?, FRESH));
    }
    let (reused_us, fresh_us) = (Spread::of(reused_us), Spread::of(fresh_us));
    Ok(FreshCell { reused_us, fresh_us, fresh_to_reused: fresh_us.median / reused_us.median })
}
