//! Waiting in virtual time.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How often a condition is looked at.
const GRAIN: Duration = Duration::from_millis(20);

/// Waits until `holds`, for at most `limit`. Returns whether it came to hold.
pub async fn until(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !holds() {
            sleep(GRAIN).await;
        }
    };
    timeout(limit, waiting).await.is_ok()
}
