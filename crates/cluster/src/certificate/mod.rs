//! The life of this member's certificate: it is replaced while the member runs, and its end is
//! announced.

mod schedule;

use std::time::Duration;

use kinfolk_core::{ClusterEvent, EventBus};
use kinfolk_transport::{NodeIdentity, Transport, TrustBundle, WallClock};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::error::ClusterError;
use crate::task::BackgroundTask;
use schedule::{Notice, Schedule};

/// How often the task looks at the clock. The wall clock may jump, so it does not sleep until the
/// next notice.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// The certificate of this member, as a part of the [statistics](crate::ClusterStats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateStats {
    /// The first second of its validity, in seconds since the Unix epoch.
    pub valid_from_unix_secs: i64,
    /// The last second of its validity, in seconds since the Unix epoch. That of an intermediate or
    /// of the authority counts, if it ends earlier.
    pub expires_unix_secs: i64,
    /// The seconds until then. Negative once it has expired.
    pub expires_in_secs: i64,
}

impl CertificateStats {
    pub(crate) fn of(identity: &NodeIdentity, clock: &WallClock) -> Self {
        let (valid_from_unix_secs, expires_unix_secs) = identity.certificate().validity();
        let now = i64::try_from(clock.since_epoch().as_secs()).unwrap_or(i64::MAX);
        let expires_in_secs = expires_unix_secs.saturating_sub(now);
        Self { valid_from_unix_secs, expires_unix_secs, expires_in_secs }
    }
}

impl Cluster {
    /// The certificate, the key, and the authorities that this member uses now.
    pub fn identity(&self) -> NodeIdentity {
        self.inner.transport.identity()
    }

    /// Replaces the certificate, the key, and the authorities of this member. It must be the same
    /// member: its name and its cluster never change.
    ///
    /// New connections use them at once. Within 15 s the connections of before are replaced, one
    /// after the other. No request fails for that, and no stream: the connection of a stream ends
    /// with its last stream, or when a certificate of its handshake expires. The member signs with
    /// the new key from now on, and states itself to all others with the new certificate.
    ///
    /// # Errors
    /// [`ClusterError::Transport`] if the certificate is that of another member, or the TLS library
    /// refuses it; then nothing has changed. [`ClusterError::Gossip`] if this member was shut down.
    ///
    /// # Cancel safety
    /// The identity may be replaced even if the future is dropped. Call it again.
    ///
    /// # Examples
    /// ```no_run
    /// # use kinfolk::{Cluster, NodeIdentity};
    /// # async fn renew(cluster: &Cluster) -> Result<(), Box<dyn std::error::Error>> {
    /// let read = |name: &str| std::fs::read_to_string(name); let renewed =
    /// NodeIdentity::from_pem(&read("a.pem")?, &read("a-key.pem")?, &read("ca.pem")?)?;
    /// cluster.rotate(renewed).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rotate(&self, identity: NodeIdentity) -> Result<(), ClusterError> {
        self.inner.transport.rotate(identity.clone())?;
        warn_of_orphans(&self.inner.transport);
        Ok(self.inner.protocol.rotate(identity).await?)
    }

    /// Replaces the authorities that this member trusts, and keeps its certificate. An authority is
    /// replaced in three steps: trust both, issue all certificates again, trust only the new one.
    ///
    /// # Errors
    /// [`ClusterError::Identity`] if none of them issued the certificate of this member, or one
    /// names another cluster; then nothing has changed. Otherwise as [`rotate`](Self::rotate).
    ///
    /// # Cancel safety
    /// As for [`rotate`](Self::rotate).
    pub async fn trust(&self, bundle: &TrustBundle) -> Result<(), ClusterError> {
        let identity = self.identity().with_trust(bundle).map_err(ClusterError::Identity)?;
        self.rotate(identity).await
    }
}

/// Warns of revocations whose authority is not trusted any more. They still count here, and no
/// member that starts later can verify them.
fn warn_of_orphans(transport: &Transport) {
    let authorities = transport.identity().authorities();
    let mut orphans = transport.revoked().all();
    orphans.retain(|revocation| !authorities.trust().has_key(&revocation.proof.certificate));
    let (count, node) = (orphans.len(), orphans.first().map(|revocation| &revocation.node));
    if let Some(node) = node {
        // An authority was dropped that has revoked certificates. This member goes on refusing
        // them. A member that starts later does not, if another trusted authority issued them:
        // then the views differ. `node` is one of the revoked members. What to do: if a
        // certificate of a trusted authority is among them, revoke it again with that authority
        // (`kinfolk ca revoke`).
        tracing::warn!(
            count, %node,
            "the authority of some revocations is not trusted any more; revoke again with a trusted one what must stay revoked"
        );
    }
}

/// Announces the end of the certificate, in the log and as events, until the task is stopped.
pub(crate) fn watch(transport: Transport, clock: WallClock, events: EventBus) -> BackgroundTask {
    BackgroundTask::start(async move {
        let mut identity = transport.identity();
        let mut schedule = Schedule::new(identity.certificate().validity());
        loop {
            let now = transport.identity();
            if now.certificate().validity() != identity.certificate().validity() {
                schedule = Schedule::new(now.certificate().validity());
            }
            identity = now;
            if let Some(notice) = schedule.look(clock.since_epoch()) {
                say(&identity, notice);
                events.publish(&event_of(&identity, notice));
            }
            sleep(LOOKED_AT_EVERY).await;
        }
    })
}

fn event_of(identity: &NodeIdentity, notice: Notice) -> ClusterEvent {
    let expires_unix_secs = identity.expires_unix_secs();
    match notice {
        Notice::Expires { left } => ClusterEvent::CertificateExpires { expires_unix_secs, left },
        Notice::Expired { since } => ClusterEvent::CertificateExpired { expires_unix_secs, since },
    }
}

fn say(identity: &NodeIdentity, notice: Notice) {
    let (node, expires_unix_secs) = (identity.id(), identity.expires_unix_secs());
    match notice {
        // The certificate of this member, of an intermediate, or of its authority ends soon. The
        // line comes 30, 7, and 1 days before, or when a third, a tenth, and a thirtieth of the
        // life is left, whichever is later. What to do: renew the certificate (`kinfolk ca renew`),
        // and replace the files; the agent reads them again by itself.
        Notice::Expires { left } => tracing::warn!(
            %node, expires_unix_secs, left_hours = left.as_secs() / 3_600,
            "the certificate of this member expires soon; renew it (`kinfolk ca renew`) and replace its files"
        ),
        // The certificate has expired. The other members close their connections to this one and
        // take no statement of it. The line comes each hour. What to do: renew the certificate
        // (`kinfolk ca renew`), and replace the files; the agent reads them again by itself. If it
        // should be valid, correct the clock.
        Notice::Expired { since } => tracing::error!(
            %node, expires_unix_secs, since_hours = since.as_secs() / 3_600,
            "the certificate of this member has expired, and the other members refuse it; renew it (`kinfolk ca \
             renew`) and replace its files, or correct the clock"
        ),
    }
}
