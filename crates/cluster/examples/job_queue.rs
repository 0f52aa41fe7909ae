//! A job queue: a dispatcher gives each job to a worker with few jobs in flight. A worker that
//! fails its jobs gets none for a while.
//!
//! `cargo run --release -p kinfolk --example job_queue`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kinfolk::{AppStream, Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId, Selector, Service, Weight};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const JOBS: usize = 200;
/// How many jobs the dispatcher keeps in flight.
const IN_FLIGHT: usize = 16;
/// Longer than the members need to see each other on a slow machine.
const LIMIT: Duration = Duration::from_secs(30);

async fn start(ca: &ClusterCa, name: &str, seed: Option<&Cluster>) -> Result<Cluster> {
    let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(1))?;
    let cluster = Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?;
    if let Some(seed) = seed {
        cluster.join(&[seed.addr().to_string()]).await?;
    }
    Ok(cluster)
}

/// Works on jobs. A broken worker takes jobs and drops them.
async fn work(cluster: &Cluster, takes: Duration, broken: bool, weight: u16) -> Result<()> {
    let mut jobs = cluster.accept("jobs")?;
    tokio::spawn(async move {
        while let Some((_, stream)) = jobs.accept().await {
            if !broken {
                tokio::spawn(finish(stream, takes));
            }
        }
    });
    let weight = Weight::new(weight).context("a weight is 1 to 1,000")?;
    cluster.offer("jobs", Service::new(0).with_weight(weight)).await?;
    Ok(())
}

async fn finish(mut stream: AppStream, takes: Duration) -> Result<()> {
    let job = stream.receive().await?.context("a job")?;
    sleep(takes).await;
    stream.send(job).await?;
    Ok(stream.close().await?)
}

/// Gives a job to a worker, and to another one if that fails. Returns the worker that did it.
async fn dispatch(dispatcher: Cluster, workers: Selector, job: usize) -> Result<NodeId> {
    loop {
        let lease = workers.least_loaded()?;
        match call(&dispatcher, lease.node(), job).await {
            Ok(()) => {
                let worker = lease.node().clone();
                lease.success();
                return Ok(worker);
            }
            Err(_) => lease.failure(),
        }
    }
}

async fn call(dispatcher: &Cluster, worker: &NodeId, job: usize) -> Result<()> {
    let mut stream = dispatcher.open_stream(worker, "jobs").await?;
    stream.send(job.to_string().into()).await?;
    stream.finish()?;
    let done = stream.receive().await?.context("no answer")?;
    ensure!(done == job.to_string(), "another job was done");
    Ok(())
}

/// Runs all jobs on four workers, one of which is broken.
///
/// # Errors
/// When a member does not start, or a job is not done.
pub(crate) async fn run() -> Result<()> {
    let ca = ClusterCa::create(&ClusterId::new("example")?)?;
    let dispatcher = start(&ca, "dispatcher", None).await?;
    let mut workers = Vec::new();
    for (name, millis, broken, weight) in [
        ("fast-1", 1, false, 200),
        ("fast-2", 1, false, 200),
        ("slow", 5, false, 50),
        ("broken", 0, true, 200),
    ] {
        let worker = start(&ca, name, Some(&dispatcher)).await?;
        work(&worker, Duration::from_millis(millis), broken, weight).await?;
        workers.push(worker);
    }
    let all_offer = async {
        while dispatcher.services("jobs").len() < 4 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, all_offer).await?;

    let selector = dispatcher.select("jobs");
    let (permits, mut running) = (Arc::new(Semaphore::new(IN_FLIGHT)), JoinSet::new());
    for job in 0..JOBS {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (dispatcher, selector) = (dispatcher.clone(), selector.clone());
        running.spawn(async move {
            let done = dispatch(dispatcher, selector, job).await;
            drop(permit);
            done
        });
    }
    let mut done: BTreeMap<NodeId, usize> = BTreeMap::new();
    while let Some(worker) = running.join_next().await {
        *done.entry(worker??).or_default() += 1;
    }
    println!("{JOBS} jobs are done: {done:?}");
    ensure!(done.values().sum::<usize>() == JOBS, "a job was lost");
    ensure!(done.get(&NodeId::new("slow")?) < done.get(&NodeId::new("fast-1")?), "the slow worker did more");
    println!("the next job goes to {}", selector.least_loaded()?.explain());
    ensure!(selector.pool().len() == 3, "the broken worker is still chosen");
    for member in workers.into_iter().chain([dispatcher]) {
        member.shutdown().await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    run().await
}
