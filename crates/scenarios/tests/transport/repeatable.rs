//! The same seed gives the same history: the outcome and the time of every request and datagram.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_scenarios::{Link, NetStats, World, run};
use kinfolk_transport::Peer;
use tokio::time::{sleep, timeout};

use crate::peers::answer_all;

const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// The history of a run: the outcome and the time of each request, and the fates of the datagrams.
#[derive(Debug, PartialEq)]
struct Run {
    events: Vec<String>,
    stats: NetStats,
    trace: u64,
}

/// Starts two nodes with mutual TLS. One sends 30 requests to the other, while `faults` changes the
/// network.
fn thirty_requests(seed: u64, faults: &impl AsyncFn(&World)) -> Run {
    run(seed, async |world| {
        let (asker, _incoming) = world.bind(0, 0, world.config(0, "a")).unwrap();
        let (other, incoming) = world.bind(1, 0, world.config(1, "b")).unwrap();
        let answering = tokio::spawn(answer_all(incoming));
        let peer = Peer::new(other.id().clone(), other.local_addr());
        let mut events = Vec::new();
        let requests = async {
            for n in 0..30_u8 {
                let asked = asker.request(&peer, Bytes::from(vec![n; 100]), Duration::from_secs(2)).await;
                let end = match asked {
                    Ok(answer) => {
                        assert_eq!(answer[..], [n; 100], "the answer is the one to this request");
                        "answered".to_owned()
                    }
                    Err(error) => error.to_string(),
                };
                events.push(format!("{:?} {n} {end}", world.elapsed()));
                sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::join!(requests, faults(&world));
        asker.close(Duration::from_secs(1)).await;
        other.close(Duration::from_secs(1)).await;
        timeout(Duration::from_secs(10), answering).await.expect("the inbox ends").unwrap();
        Run { events, stats: world.net.stats(), trace: world.net.trace() }
    })
}

fn answered(run: &Run) -> usize {
    run.events.iter().filter(|event| event.ends_with("answered")).count()
}

#[test]
fn same_seed_gives_same_history_at_20_percent_loss() {
    let lossy = async |world: &World| world.net.set_links(Link::lossy(0.2));
    let mut traces = Vec::new();
    for seed in SEEDS {
        let first = thirty_requests(seed, &lossy);
        assert!(answered(&first) >= 25 && first.stats.lost > 10, "{first:#?}");
        assert_eq!(first, thirty_requests(seed, &lossy), "seed {seed}");
        traces.push(first.trace);
    }
    traces.dedup();
    assert_eq!(traces.len(), SEEDS.len(), "other seeds have other histories");
}

#[test]
fn same_seed_gives_same_history_over_a_partition() {
    let partition = async |world: &World| {
        sleep(Duration::from_secs(1)).await;
        world.net.cut(&[World::ip(0)], &[World::ip(1)]);
        sleep(Duration::from_secs(5)).await;
        world.net.heal();
    };
    for seed in SEEDS {
        let first = thirty_requests(seed, &partition);
        assert!(answered(&first) < 30 && first.stats.cut > 0, "{first:#?}");
        assert!(first.events[29].ends_with("answered"), "it heals: {first:#?}");
        assert_eq!(first, thirty_requests(seed, &partition), "seed {seed}");
    }
}
