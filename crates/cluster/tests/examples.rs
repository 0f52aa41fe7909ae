//! The example programs do what they say. Each checks its own results and fails if one is wrong.

#[path = "../examples/config_watcher.rs"]
#[expect(dead_code, reason = "`main` calls `run`, as the tests do")]
mod config_watcher;
#[path = "../examples/job_queue.rs"]
#[expect(dead_code, reason = "`main` calls `run`, as the tests do")]
mod job_queue;
#[path = "../examples/key_value_cache.rs"]
#[expect(dead_code, reason = "`main` calls `run`, as the tests do")]
mod key_value_cache;

#[tokio::test]
async fn cache_survives_the_loss_of_a_member() {
    key_value_cache::run().await.unwrap();
}

#[tokio::test]
async fn all_jobs_are_done_with_a_broken_worker() {
    job_queue::run().await.unwrap();
}

#[tokio::test]
async fn followers_take_each_version_once() {
    config_watcher::run().await.unwrap();
}
