//! No task, socket, thread, or file of a member stays open after its end. This program has only one
//! test, because it counts the resources of the whole process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::fs;
use std::time::Duration;

use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId};
use tokio::runtime::{Builder, Handle};

/// Longer than any step takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long an idle blocking thread of the runtime stays.
const KEEP_ALIVE: Duration = Duration::from_millis(50);

/// The resources of this process, by count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    tasks: usize,
    sockets: usize,
    files: usize,
    threads: usize,
}

fn counts() -> Counts {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    // The entry of the directory that is being read does not exist any more when it is resolved.
    let links: Vec<_> = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
    let sockets = links.iter().filter(|link| link.to_string_lossy().starts_with("socket:")).count();
    Counts {
        tasks: Handle::current().metrics().num_alive_tasks(),
        sockets,
        files: links.len() - sockets,
        threads: fs::read_dir("/proc/self/task").unwrap().count(),
    }
}

async fn wait_until_back_to(before: Counts, what: &str) {
    let waiting = async {
        while counts() != before {
            // Sleeps because the end of a thread causes no event. The deadline bounds the wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let back = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(back.is_ok(), "after {what}: the counts are {:?}, and were {before:?} before", counts());
}

#[test]
fn ended_member_leaks_no_resources() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(KEEP_ALIVE)
        .enable_all()
        .build()
        .unwrap();
    // The test itself runs in a task, so that the runtime counts all tasks in the same way.
    runtime.block_on(async { tokio::spawn(start_and_end_members()).await.unwrap() });
}

async fn start_and_end_members() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    // The threads of the test harness and of the runtime.
    let threads_before = threads();
    let temp = tempfile::tempdir().unwrap();
    let ca = ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap();
    let start = |name: &str| {
        let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(1)).unwrap();
        let mut config = ClusterConfig::new(identity, "127.0.0.1:0".parse().unwrap());
        config.state_dir = Some(temp.path().join(name));
        Cluster::start(config).unwrap()
    };
    // What a process keeps until its end (signal handlers, libraries) exists after the first
    // member.
    start("first").shutdown().await;
    tokio::time::timeout(DEADLINE, async {
        while Handle::current().metrics().num_alive_tasks() > 1 {
            // Sleeps because the end of a task causes no event. The deadline bounds the wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all tasks of a member end");
    // Until the idle threads have ended too.
    tokio::time::timeout(DEADLINE, async {
        while threads() > threads_before {
            // Sleeps because the end of a thread causes no event. The deadline bounds the wait.
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
        assert!(counts().tasks > before.tasks && counts().sockets > before.sockets, "the members run");

        a.shutdown().await;
        b.shutdown_now();
        drop(c);
        // The handles of the application do not keep a member alive.
        wait_until_back_to(before, &format!("round {round}, with handles kept")).await;
        drop((stream, other_end, service, subscription, a, b));
        wait_until_back_to(before, &format!("round {round}")).await;
    }

    let isolated = start("a");
    let _never = tokio::time::timeout(Duration::from_millis(1), isolated.join(&["nonsense:1"])).await;
    isolated.shutdown().await;
    wait_until_back_to(before, "a cancelled join").await;
}
