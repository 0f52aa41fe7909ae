//! Ends the connections of peers whose certificate has expired. TLS checks a certificate only in
//! the handshake, and a connection may be open for months: the replacement after a rotation leaves
//! those with application streams.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{debug, error};

use super::code::CloseCode;
use super::hub::{Hub, Stage};
use super::peer::PeerConnection;
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
    let (now, connections) = (hub.credentials.clock().since_epoch(), hub.connections());
    for conn in &connections {
        if !has_expired(conn.certificate(), now) {
            continue;
        }
        // The pool has replaced all connections of a renewed peer but those with streams.
        let is_current =
            |other: &PeerConnection| other.peer() == conn.peer() && !has_expired(other.certificate(), now);
        if connections.iter().any(is_current) {
            // The streams on this connection were opened with a certificate of the peer that has
            // been renewed since, and that has expired now. The programs get an error, and can open
            // new streams. What to do: nothing.
            debug!(peer = %conn.peer(), "ended the streams of before a renewal: that certificate has expired");
        } else {
            let peer = conn.peer();
            let text =
                format!("the certificate of {peer} of that time has expired; renew it, unless it is done");
            hub.refusals.has_expired(conn.source(), &text);
        }
        conn.close_with(CloseCode::Expired);
    }
}

/// Whether the present certificate of this node has expired, by the clock of certificates.
pub(super) fn own_has_expired(hub: &Hub) -> bool {
    let identity = hub.credentials.identity();
    has_expired(&identity.certificate(), hub.credentials.clock().since_epoch())
}

/// Whether the certificate has expired at this time since the Unix epoch. A clock that was set back
/// ends no connection.
fn has_expired(certificate: &Certificate, now: Duration) -> bool {
    i64::try_from(now.as_secs()).is_ok_and(|now| now > certificate.validity().1)
}
