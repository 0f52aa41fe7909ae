//! Ends the connections of peers whose certificate has expired. TLS checks a certificate only in
//! the handshake, and a connection may be open for months.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::sleep;
use tracing::error;

use super::code::CloseCode;
use super::hub::{Hub, Stage};
use crate::identity::Certificate;

/// How often the certificates are looked at. Peers learn of the end of a certificate at most this
/// much later.
const CHECKED_EVERY: Duration = Duration::from_secs(5);

/// Runs until the transport ends.
pub(super) async fn run(hub: Weak<Hub>) {
    loop {
        sleep(CHECKED_EVERY).await;
        // A weak reference while it waits: this task must not keep a dropped transport alive.
        let Some(hub) = hub.upgrade().filter(|hub| hub.stage() != Stage::Stopped) else { return };
        check(&hub);
    }
}

/// Closes each connection whose peer has an expired certificate.
fn check(hub: &Hub) {
    if let Err(fault) = hub.credentials.refresh() {
        // An authority of the trust bundle expired or became valid, and the TLS library does not
        // take the others. This node goes on with the former settings. What to do: follow the
        // error; then load the authorities again (SIGHUP for the agent).
        error!(%fault, "cannot apply the change of the trusted authorities; load them again");
    }
    let now = hub.credentials.clock().since_epoch();
    for conn in hub.connections() {
        if has_expired(conn.certificate(), now) {
            let text = format!("the certificate of {} has expired; renew it", conn.peer());
            hub.refusals.has_expired(conn.source(), &text);
            conn.close_with(CloseCode::Expired);
        }
    }
}

/// Whether the certificate has expired at this time since the Unix epoch. A clock that was set back
/// ends no connection.
fn has_expired(certificate: &Certificate, now: Duration) -> bool {
    i64::try_from(now.as_secs()).is_ok_and(|now| now > certificate.validity().1)
}
