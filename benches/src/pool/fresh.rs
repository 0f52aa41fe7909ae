//! Measures what reuse saves. One caller makes requests on the pool's connection. Another caller
//! opens a connection for each request, and closes it after the answer.
//!
//! The fresh connections do not use the transport, because its pool always reuses connections. So
//! their figure does not contain the work of the pool.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::raw::{RawClient, exchange, frame};
use super::test_bed::{Load, Server, TestBed};
use super::variant::Variant;
use crate::numbers::Spread;

const LOAD: Load = Load { callers: 1, delay_ms: 0, bytes: 100 };

/// A client that opens a connection for each request.
pub struct Fresh(RawClient);

/// The time of a request with reuse and without.
#[derive(Debug, Clone, Serialize)]
pub struct FreshCell {
    /// The time on the pool's connection, in microseconds.
    pub reused_us: Spread,
    /// The time with a fresh connection, in microseconds: handshake, request, close.
    pub fresh_us: Spread,
    /// The median of `fresh_us` divided by the median of `reused_us`.
    pub fresh_to_reused: f64,
}

impl Fresh {
    /// A client of this server.
    pub(super) fn of(server: &Server) -> Result<Self> {
        Ok(Self(server.raw_client("fresh")?))
    }

    /// Makes `count` requests one after the other. Returns the time of all of them.
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

/// Measures both. They take turns, so that other programs disturb them alike.
pub(super) async fn measure(bed: &TestBed, fresh: &Fresh, rounds: usize) -> Result<FreshCell> {
    /// The requests of a round on fresh connections.
    const FRESH: u64 = 50;
    /// The requests of a round on the pool's connection. They are much faster, so a round needs
    /// more of them to take about the same time.
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
