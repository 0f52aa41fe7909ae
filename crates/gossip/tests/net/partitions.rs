//! The partition status that an application sees.

use kinfolk_core::Tags;

use crate::fixture::{Group, fast};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unchanged_partition_status_wakes_no_waiter() {
    let mut group = Group::empty(fast());
    let alone = group.add("n0").protocol.clone();
    let mut partition = alone.partition();
    // The first step may change the status, because the start knows less.
    alone.set_tags(Tags::new([("step", "1")]).unwrap()).await.unwrap();
    partition.mark_unchanged();
    alone.set_tags(Tags::new([("step", "2")]).unwrap()).await.unwrap();
    assert!(!partition.has_changed().unwrap());
    group.stop().await;
}
