//! Waits in virtual time.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How often a wait checks its condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `holds` returns true, for at most `limit`. Returns whether it did.
pub async fn until(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !holds() {
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(limit, waiting).await.is_ok()
}
