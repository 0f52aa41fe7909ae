//! What an application hears of a partition.

use kinfolk_core::Tags;

use crate::fixture::{Group, fast};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_changes_no_partition_wakes_nobody_who_waits_for_one() {
    let mut group = Group::empty(fast());
    let alone = group.add("n0").protocol.clone();
    let mut partition = alone.partition();
    // The first step may say more than the start did.
    alone.set_tags(Tags::new([("step", "1")]).unwrap()).await.unwrap();
    partition.mark_unchanged();
    alone.set_tags(Tags::new([("step", "2")]).unwrap()).await.unwrap();
    assert!(!partition.has_changed().unwrap());
    group.stop().await;
}
