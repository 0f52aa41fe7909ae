//! Classifies, counts and logs failed handshakes. Each of the two nodes logs one line, and at most
//! [`LINES_A_SECOND`] lines a second.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use s2n_quic::connection;
use tokio::time::Instant;
use tracing::warn;

use super::code::CloseCode;
use crate::pool::{DialError, Side};
use crate::stats::{Counters, add};

/// The number of refusals that are logged in one second. The next line states how many were
/// withheld. Without the limit a stranger could fill the log.
const LINES_A_SECOND: u32 = 10;

/// QUIC's error codes for TLS alerts: 0x100 plus the alert's number (RFC 9001, section 4.8).
const CRYPTO_ERROR: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;

/// The alert with which s2n-quic ends a handshake without a common version of the protocol
/// (`missing_extension`). The standard has 120 for that, `no_application_protocol`.
const MISSING_EXTENSION: u64 = 109;

/// What both nodes report if they have no version in common.
const OTHER_VERSION: &str = "it speaks another version of the protocol; run compatible versions";

/// QUIC's `CONNECTION_REFUSED` (RFC 9000, section 20.1): the listener has reached its limit.
const CONNECTION_REFUSED: u64 = 0x2;

/// Why this node refused a certificate. Each kind has its own counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertFault {
    Untrusted,
    Name,
    Expired,
    Other,
}

/// A refusal by the TLS library of this node.
pub(super) struct TlsFault {
    fault: CertFault,
    pub(super) text: String,
}

/// Counts and logs refusals.
#[derive(Debug)]
pub(super) struct Refusals {
    counters: Arc<Counters>,
    lines: Mutex<Lines>,
}

/// The node that refused the other one.
#[derive(Debug, Clone, Copy)]
enum Refuser {
    ThisNode,
    Peer,
}

#[derive(Debug)]
struct Lines {
    /// The start of the current second. `None` before the first line.
    second: Option<Instant>,
    written: u32,
    withheld: u64,
}

impl Refusals {
    pub(super) fn new(counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { counters, lines: Mutex::new(Lines { second: None, written: 0, withheld: 0 }) })
    }

    /// Describes an error of the TLS library.
    pub(super) fn of_tls(error: &(dyn Error + Send + Sync + 'static)) -> TlsFault {
        let name = error.downcast_ref::<s2n_tls::error::Error>().map_or("", s2n_tls::error::Error::name);
        let (fault, text) = match name {
            "S2N_ERR_CERT_UNTRUSTED" => (
                CertFault::Untrusted,
                "its certificate is signed by another CA than this cluster's; compare `ca.pem` on both nodes"
                    .to_owned(),
            ),
            "S2N_ERR_CERT_UNVERIFIED" | "S2N_ERR_CERT_INVALID_HOSTNAME" => (
                CertFault::Name,
                "the name in its certificate is not one of this cluster; issue a certificate for it"
                    .to_owned(),
            ),
            "S2N_ERR_CERT_EXPIRED" => {
                (CertFault::Expired, "its certificate has expired; issue a new one".to_owned())
            }
            "S2N_ERR_CERT_NOT_YET_VALID" => {
                (CertFault::Expired, "its certificate is not valid yet; compare the clocks".to_owned())
            }
            "S2N_ERR_CERT_INTENT_INVALID" => (
                CertFault::Other,
                "its certificate may not be used for TLS as client and as server; issue it with both usages"
                    .to_owned(),
            ),
            "S2N_ERR_NO_APPLICATION_PROTOCOL" => (CertFault::Other, OTHER_VERSION.to_owned()),
            _ => (CertFault::Other, format!("the handshake failed ({error}); see the log of that node")),
        };
        TlsFault { fault, text }
    }

    /// Counts and logs that this node refused the peer.
    pub(super) fn refused_here(&self, side: Side, source: Option<SocketAddr>, fault: &TlsFault) {
        let counter = match fault.fault {
            CertFault::Untrusted => &self.counters.refused_untrusted,
            CertFault::Name => &self.counters.refused_name,
            CertFault::Expired => &self.counters.refused_expired,
            CertFault::Other => &self.counters.refused_other,
        };
        self.record(counter, Refuser::ThisNode, side, source, &fault.text);
    }

    /// Counts and logs the end of a handshake in which the TLS library of this node found no fault,
    /// if one of the nodes refused the other one.
    pub(super) fn ended(&self, side: Side, source: Option<SocketAddr>, error: connection::Error) {
        // s2n-quic finds this fault itself, after the TLS library.
        if is_other_version(error) {
            let fault = TlsFault { fault: CertFault::Other, text: OTHER_VERSION.to_owned() };
            self.refused_here(side, source, &fault);
        } else {
            self.ended_by_peer(side, source, error);
        }
    }

    /// Counts and logs that the peer refused this node, if `error` says so. This node found no
    /// fault.
    ///
    /// A cancelled dial and a silent peer are not refusals. The caller of the dial receives them as
    /// errors.
    fn ended_by_peer(&self, side: Side, source: Option<SocketAddr>, error: connection::Error) {
        if let Some(text) = refusal_by_peer(error) {
            self.record(&self.counters.refused_by_peer, Refuser::Peer, side, source, &text);
        }
    }

    /// Counts and logs that this node refused the certificate's name after the handshake.
    pub(super) fn name_refused(&self, side: Side, source: Option<SocketAddr>, text: &dyn fmt::Display) {
        self.record(&self.counters.refused_name, Refuser::ThisNode, side, source, text);
    }

    /// Counts and logs that the certificate of a peer has expired since the handshake. This node
    /// ends the connection.
    pub(super) fn has_expired(&self, source: Option<SocketAddr>, text: &dyn fmt::Display) {
        add(&self.counters.refused_expired, 1);
        let Some(withheld) = self.line_allowed() else { return };
        let source = source.map_or_else(|| "an unknown address".to_owned(), |source| source.to_string());
        // The certificate of a peer has expired while a connection to it was open. This node closed
        // the connection, and makes no other until the peer has a new certificate. `withheld`
        // counts the lines of refusals since the last one that were not logged. What to do: renew
        // the certificate of that member; if it should be valid, compare the clocks.
        warn!(%source, withheld, "closed the connection with {source}: {text}");
    }

    /// Counts and logs that the certificate of a peer was revoked. This node ends the connection.
    pub(super) fn is_revoked(&self, source: Option<SocketAddr>, text: &dyn fmt::Display) {
        add(&self.counters.refused_other, 1);
        let Some(withheld) = self.line_allowed() else { return };
        let source = source.map_or_else(|| "an unknown address".to_owned(), |source| source.to_string());
        // An authority has revoked the certificate of a peer, and this node closed a connection to
        // it. `withheld` counts the lines of refusals since the last one that were not logged. What
        // to do: nothing. If the member is to come back, issue a new certificate to it.
        warn!(%source, withheld, "closed the connection with {source}: {text}");
    }

    /// Counts and logs that the peer refused this node's name after the handshake.
    pub(super) fn name_refused_by_peer(
        &self,
        side: Side,
        source: Option<SocketAddr>,
        text: &dyn fmt::Display,
    ) {
        self.record(&self.counters.refused_by_peer, Refuser::Peer, side, source, text);
    }

    fn record(
        &self,
        counter: &AtomicU64,
        refuser: Refuser,
        side: Side,
        source: Option<SocketAddr>,
        text: &dyn fmt::Display,
    ) {
        add(counter, 1);
        let Some(withheld) = self.line_allowed() else { return };
        let source = source.map_or_else(|| "an unknown address".to_owned(), |source| source.to_string());
        let direction = if side == Side::Remote { "from" } else { "to" };
        match refuser {
            // This node refused the peer's certificate, name or protocol. `withheld` counts the
            // refusals since the last line that were not logged. What to do: follow the reason in
            // the line; if the address is not a node of the cluster, block it in the firewall.
            Refuser::ThisNode => {
                warn!(%source, withheld, "refused the connection {direction} {source}: {text}");
            }
            // The peer refused this node's certificate, name or protocol. `withheld` counts the
            // refusals since the last line that were not logged.
            // What to do: follow the reason in the line; the peer's log has more. If the fault is
            // this node's certificate, issue a new one.
            Refuser::Peer => {
                warn!(%source, withheld, "the peer refused the connection {direction} {source}: {text}");
            }
        }
    }

    /// The number of lines withheld since the last one. `None` if no line may be logged now.
    fn line_allowed(&self) -> Option<u64> {
        let mut lines = self.lines.lock();
        let now = Instant::now();
        if lines.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1)) {
            lines.second = Some(now);
            lines.written = 0;
        }
        if lines.written >= LINES_A_SECOND {
            lines.withheld += 1;
            return None;
        }
        lines.written += 1;
        Some(std::mem::take(&mut lines.withheld))
    }
}

/// Whether this node ended the handshake because the peer speaks no version of the protocol that
/// this node speaks.
fn is_other_version(error: connection::Error) -> bool {
    let connection::Error::Transport { code, initiator, .. } = error else { return false };
    initiator.is_local() && code.as_u64() == CRYPTO_ERROR.start() + MISSING_EXTENSION
}

/// Why the peer refused this node during the handshake. `None` for any other error.
///
/// The error carries only a TLS alert. s2n-quic sends the same alert, 40, for every fault of a
/// certificate and for another version, so the text cannot say which one it was.
fn refusal_by_peer(error: connection::Error) -> Option<String> {
    let connection::Error::Transport { code, initiator, .. } = error else { return None };
    let code = code.as_u64();
    if !initiator.is_remote() || !CRYPTO_ERROR.contains(&code) {
        return None;
    }
    let text = match code - CRYPTO_ERROR.start() {
        40 | 42 | 46 | 48 => {
            "it does not accept this node's certificate (another CA, another cluster, or expired), or speaks another \
             version of the protocol; its log says which"
        }
        45 => "this node's certificate has expired or is not valid yet; issue a new one",
        120 => OTHER_VERSION,
        alert => return Some(format!("it sent TLS alert {alert}; see its log")),
    };
    Some(text.to_owned())
}

/// Why a dial failed. `tls_fault` is the refusal by this node's TLS, and `took` the dial's
/// duration.
pub(super) fn dial_error(error: connection::Error, tls_fault: Option<&str>, took: Duration) -> DialError {
    use connection::Error;
    // First, because QUIC's own error does not say why this node's TLS refused the peer.
    if let Some(fault) = tls_fault {
        return DialError::PeerRefused { reason: fault.to_owned() };
    }
    if let Some(reason) = refusal_by_peer(error) {
        return DialError::RefusedByPeer { reason };
    }
    match error {
        Error::MaxHandshakeDurationExceeded { max_handshake_duration, .. } => {
            DialError::Silent { after: max_handshake_duration }
        }
        // s2n-quic closes at once when it has repeated a packet so often that its back-off reaches
        // the maximum.
        Error::IdleTimerExpired { .. } | Error::NoValidPath { .. } | Error::ImmediateClose { .. } => {
            DialError::Silent { after: took }
        }
        Error::StatelessReset { .. } => DialError::Restarted,
        Error::Transport { code, initiator, .. }
            if initiator.is_remote() && code.as_u64() == CONNECTION_REFUSED =>
        {
            DialError::Busy
        }
        Error::Transport { .. } => DialError::Protocol { reason: error.to_string() },
        Error::Closed { initiator, .. } if initiator.is_remote() => DialError::RefusedByPeer {
            reason: "it ended the connection during the handshake; it may be stopping, so try again"
                .to_owned(),
        },
        Error::Application { error, initiator, .. } if initiator.is_remote() => {
            match CloseCode::from_error(error) {
                Some(CloseCode::OwnName) => DialError::OwnName,
                Some(
                    CloseCode::Unused | CloseCode::Superseded | CloseCode::Unresponsive | CloseCode::NoRoom,
                ) => DialError::Busy,
                Some(code) => DialError::RefusedByPeer { reason: code.text().to_owned() },
                None => DialError::RefusedByPeer { reason: format!("code {error:?}") },
            }
        }
        // QUIC reports `Unspecified` if its endpoint has ended.
        Error::Closed { .. }
        | Error::Application { .. }
        | Error::EndpointClosing { .. }
        | Error::Unspecified { .. } => DialError::Stopped,
        error => DialError::Other { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use kinfolk_core::Fill;
    use tokio::time::advance;

    use super::*;

    /// Collects log lines.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The log lines that `refuse` writes.
    async fn lines_of(refuse: impl AsyncFnOnce(&Refusals)) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let format = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
        let _here = tracing::subscriber::set_default(format.with_writer(move || writer.clone()).finish());
        refuse(&Refusals::new(Arc::default())).await;
        let text = String::from_utf8(log.0.lock().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// The line states which node refused, the address, and the reason.
    #[tokio::test(start_paused = true)]
    async fn refusal_is_logged_in_one_line() {
        let source = Some("127.0.0.1:7".parse().unwrap());
        let lines = lines_of(async |refusals: &Refusals| {
            let expired =
                TlsFault { fault: CertFault::Expired, text: "its certificate has expired".to_owned() };
            refusals.refused_here(Side::Remote, source, &expired);
            refusals.name_refused(Side::Local, source, &DialError::OwnName);
            refusals.name_refused_by_peer(Side::Local, None, &"another node was expected at this address");
            assert_eq!(refusals.counters.stats(Fill::default()).refused_expired, 1);
            assert_eq!(
                (
                    refusals.counters.stats(Fill::default()).refused_name,
                    refusals.counters.stats(Fill::default()).refused_by_peer
                ),
                (1, 1)
            );
        });
        let own_name = DialError::OwnName;
        let tail = "source=127.0.0.1:7 withheld=0";
        assert_eq!(
            lines.await,
            [
                format!("WARN refused the connection from 127.0.0.1:7: its certificate has expired {tail}"),
                format!("WARN refused the connection to 127.0.0.1:7: {own_name} {tail}"),
                "WARN the peer refused the connection to an unknown address: another node was expected at this \
                 address source=an unknown address withheld=0"
                    .to_owned(),
            ]
        );
    }

    /// The next line states how many lines were withheld.
    #[tokio::test(start_paused = true)]
    async fn refusal_log_is_limited_to_ten_lines_a_second() {
        let lines = lines_of(async |refusals: &Refusals| {
            let refuse = |times: u32| {
                for _ in 0..times {
                    refusals.name_refused(Side::Remote, None, &"no name");
                }
            };
            refuse(LINES_A_SECOND + 5);
            advance(Duration::from_millis(999)).await;
            refuse(1);
            advance(Duration::from_millis(1)).await;
            refuse(1);
            assert_eq!(refusals.counters.stats(Fill::default()).refused_name, 17, "all refusals are counted");
        });
        let lines = lines.await;
        let withheld: Vec<bool> = lines.iter().map(|line| line.ends_with("withheld=0")).collect();
        assert_eq!(withheld, [[true; 10].as_slice(), &[false]].concat());
        assert!(lines[10].ends_with("withheld=6"), "{}", lines[10]);
    }
}
