//! Nothing outlives a member: tasks, sockets, threads, files, checked by count. One test alone in this program, because the
//! counts are the process's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::fs;
use std::time::Duration;

use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId};
use tokio::runtime::{Builder, Handle};

/// Beyond what any step here takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long a thread of the runtime waits for more work.
const KEEP_ALIVE: Duration = Duration::from_millis(50);

/// What a process has, by count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    tasks: usize,
    sockets: usize,
    files: usize,
    threads: usize,
}

fn counts() -> Counts {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    // The folder that is being read is gone when its entry is looked at.
    let links: Vec<_> = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
    let sockets = links.iter().filter(|link| link.to_string_lossy().starts_with("socket:")).count();
    Counts {
        tasks: Handle::current().metrics().num_alive_tasks(),
        sockets,
        files: links.len() - sockets,
        threads: fs::read_dir("/proc/self/task").unwrap().count(),
    }
}

async fn back_to(before: Counts, what: &str) {
    let waiting = async {
        while counts() != before {
            // Sleeps because the end of a thread is no event here; the deadline is what bounds the wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let back = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(back.is_ok(), "after {what}: {:?} where {before:?} was", counts());
}

#[test]
fn nothing_outlives_a_member_however_it_ends() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(KEEP_ALIVE)
        .enable_all()
        .build()
        .unwrap();
    // The test itself is a task, so that all is counted by one of the runtime's own.
    runtime.block_on(async { tokio::spawn(lives()).await.unwrap() });
}

async fn lives() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    // The harness's and the runtime's own.
    let threads_before = threads();
    let temp = tempfile::tempdir().unwrap();
    let ca = ClusterCa::create(&ClusterId::new("town").unwrap()).unwrap();
    let start = |name: &str| {
        let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(1)).unwrap();
        let mut config = ClusterConfig::new(identity, "127.0.0.1:0".parse().unwrap());
        config.state_dir = Some(temp.path().join(name));
        Cluster::start(config).unwrap()
    };
    // Whatever a process keeps for good (signal handlers, libraries) is there after the first life.
    start("first").shutdown().await;
    tokio::time::timeout(DEADLINE, async {
        while Handle::current().metrics().num_alive_tasks() > 1 {
            // Sleeps because the end of a task is no event here; the deadline is what bounds the wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all tasks of a member end");
    // Longer than an idle thread stays.
    tokio::time::timeout(DEADLINE, async {
        while threads() > threads_before {
            // Sleeps because the end of a thread is no event here; the deadline is what bounds the wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all threads of a member end");
    let before = counts();

    for round in 0..3 {
        let (a, b, c) = (start("a"), start("b"), start("c"));
        let seed = [a.addr().to_string()];
        b.join(&seed).await.unwrap();
        c.join(&seed).await.unwrap();
        let mut service = a.accept("service").unwrap();
        let stream = b.open_stream(a.id(), "service").await.unwrap();
        let (_, other_end) = service.accept().await.unwrap();
        let subscription = c.subscribe();
        assert!(counts().tasks > before.tasks && counts().sockets > before.sockets, "something runs");

        a.shutdown().await;
        b.shutdown_now();
        drop(c);
        // What the application holds of a member does not keep it alive.
        back_to(before, &format!("round {round}, with handles kept")).await;
        drop((stream, other_end, service, subscription, a, b));
        back_to(before, &format!("round {round}")).await;
    }

    let isolated = start("a");
    let _never = tokio::time::timeout(Duration::from_millis(1), isolated.join(&["nonsense:1"])).await;
    isolated.shutdown().await;
    back_to(before, "a join that was given up").await;
}
