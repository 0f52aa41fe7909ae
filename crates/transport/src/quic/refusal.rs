//! Handshakes that fail: classified, counted, and logged in one clear line on each side, at most so many a second.

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

/// Lines of log that refusals may write in one second; further ones are counted and mentioned in the next line.
const LINES_A_SECOND: u32 = 10;

/// TLS alerts as QUIC carries them: 0x100 and the alert's number (RFC 9001, section 4.8).
const CRYPTO_ERROR: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;

/// QUIC's `CONNECTION_REFUSED` (RFC 9000, section 20.1): the listener's limit is met.
const CONNECTION_REFUSED: u64 = 0x2;

/// What a certificate was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Untrusted,
    Name,
    Expired,
    Other,
}

/// A refusal by this node's TLS.
pub(super) struct TlsFault {
    fault: Fault,
    pub(super) text: String,
}

/// Counts and logs refusals.
#[derive(Debug)]
pub(super) struct Refusals {
    counters: Arc<Counters>,
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    second: Option<Instant>,
    written: u32,
    withheld: u64,
}

impl Refusals {
    pub(super) fn new(counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { counters, lines: Mutex::new(Lines { second: None, written: 0, withheld: 0 }) })
    }

    /// Puts the TLS library's error into words.
    pub(super) fn of_tls(error: &(dyn Error + Send + Sync + 'static)) -> TlsFault {
        let name = error.downcast_ref::<s2n_tls::error::Error>().map_or("", s2n_tls::error::Error::name);
        let (fault, text) = match name {
            "S2N_ERR_CERT_UNTRUSTED" => {
                (Fault::Untrusted, "its certificate is signed by another CA than this cluster's".to_owned())
            }
            "S2N_ERR_CERT_UNVERIFIED" | "S2N_ERR_CERT_INVALID_HOSTNAME" => {
                (Fault::Name, "the name in its certificate is not one of this cluster".to_owned())
            }
            "S2N_ERR_CERT_EXPIRED" => (Fault::Expired, "its certificate has expired".to_owned()),
            "S2N_ERR_CERT_NOT_YET_VALID" => {
                (Fault::Expired, "its certificate is not valid yet; compare the clocks".to_owned())
            }
            "S2N_ERR_NO_APPLICATION_PROTOCOL" => {
                (Fault::Other, "it speaks another version of the protocol".to_owned())
            }
            _ => (Fault::Other, format!("the handshake failed: {error}")),
        };
        TlsFault { fault, text }
    }

    /// This node refused the peer.
    pub(super) fn refused_here(&self, side: Side, source: Option<SocketAddr>, fault: &TlsFault) {
        let counter = match fault.fault {
            Fault::Untrusted => &self.counters.refused_untrusted,
            Fault::Name => &self.counters.refused_name,
            Fault::Expired => &self.counters.refused_expired,
            Fault::Other => &self.counters.refused_other,
        };
        self.note(counter, side, source, &format_args!("refused here: {}", fault.text));
    }

    /// The handshake ended without a fault found here: the peer refused this node, or fell silent. Our own doing (a dial
    /// given up) and silence are not refusals; the dialler's caller is told of them.
    pub(super) fn refused_there(&self, side: Side, source: Option<SocketAddr>, error: connection::Error) {
        if let Some(text) = of_remote(error) {
            self.note(
                &self.counters.refused_by_peer,
                side,
                source,
                &format_args!("refused by the peer: {text}"),
            );
        }
    }

    /// The handshake was accepted, and this node refuses the name in the certificate.
    pub(super) fn name_refused(&self, side: Side, source: Option<SocketAddr>, text: &dyn fmt::Display) {
        self.note(&self.counters.refused_name, side, source, &format_args!("refused here: {text}"));
    }

    /// The handshake was accepted, and the peer refused the name afterwards.
    pub(super) fn name_refused_there(&self, side: Side, source: Option<SocketAddr>, text: &dyn fmt::Display) {
        self.note(&self.counters.refused_by_peer, side, source, &format_args!("refused by the peer: {text}"));
    }

    fn note(&self, counter: &AtomicU64, side: Side, source: Option<SocketAddr>, text: &dyn fmt::Display) {
        add(counter, 1);
        let Some(withheld) = self.may_write() else { return };
        let source = source.map_or_else(|| "an unknown address".to_owned(), |source| source.to_string());
        match side {
            Side::Remote => warn!(%source, withheld, "connection from {source} {text}"),
            Side::Local => warn!(%source, withheld, "connection to {source} {text}"),
        }
    }

    /// Whether one more line may be written now, and how many were withheld before it.
    fn may_write(&self) -> Option<u64> {
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

/// What an error says if the peer refused this node during the handshake. It carries a TLS alert and no more, and
/// s2n-tls sends the same one (40) for every fault of a certificate.
fn of_remote(error: connection::Error) -> Option<String> {
    let connection::Error::Transport { code, initiator, .. } = error else { return None };
    let code = code.as_u64();
    if !initiator.is_remote() || !CRYPTO_ERROR.contains(&code) {
        return None;
    }
    let text = match code - CRYPTO_ERROR.start() {
        40 | 42 | 46 | 48 => {
            "it does not accept this node's certificate (another CA, another cluster, or expired); its log says which"
        }
        45 => "this node's certificate has expired or is not valid yet; issue a new one",
        120 => "it speaks another version of the protocol",
        alert => return Some(format!("TLS alert {alert}")),
    };
    Some(text.to_owned())
}

/// Why a dial failed, from the error that ended it, what TLS said, and how long the dial took.
pub(super) fn dial_error(error: connection::Error, tls_fault: Option<&str>, took: Duration) -> DialError {
    use connection::Error;
    if let Some(fault) = tls_fault {
        return DialError::PeerRefused { reason: fault.to_owned() };
    }
    if let Some(reason) = of_remote(error) {
        return DialError::RefusedByPeer { reason };
    }
    match error {
        Error::MaxHandshakeDurationExceeded { max_handshake_duration, .. } => {
            DialError::Silent { after: max_handshake_duration }
        }
        // QUIC closes at once where it has repeated a packet as often as it can count.
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
                Some(CloseCode::Unused | CloseCode::Superseded | CloseCode::Doubtful | CloseCode::NoRoom) => {
                    DialError::Busy
                }
                Some(code) => DialError::RefusedByPeer { reason: code.text().to_owned() },
                None => DialError::RefusedByPeer { reason: format!("code {error:?}") },
            }
        }
        // QUIC says `Unspecified` where its endpoint has gone.
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

    use tokio::time::advance;

    use super::*;

    /// Log lines, kept.
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

    /// What `refuse` writes into the log, line by line.
    async fn lines_of(refuse: impl AsyncFnOnce(&Refusals)) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let format = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
        let _here = tracing::subscriber::set_default(format.with_writer(move || writer.clone()).finish());
        refuse(&Refusals::new(Arc::default())).await;
        let text = String::from_utf8(log.0.lock().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_one_line_that_says_who_refused_whom_and_why() {
        let source = Some("127.0.0.1:7".parse().unwrap());
        let lines = lines_of(async |refusals: &Refusals| {
            let expired = TlsFault { fault: Fault::Expired, text: "its certificate has expired".to_owned() };
            refusals.refused_here(Side::Remote, source, &expired);
            refusals.name_refused(Side::Local, source, &DialError::OwnName);
            refusals.name_refused_there(Side::Local, None, &"another node was expected at this address");
            assert_eq!(refusals.counters.stats().refused_expired, 1);
            assert_eq!(
                (refusals.counters.stats().refused_name, refusals.counters.stats().refused_by_peer),
                (1, 1)
            );
        });
        let own_name = DialError::OwnName;
        let tail = "source=127.0.0.1:7 withheld=0";
        assert_eq!(
            lines.await,
            [
                format!("WARN connection from 127.0.0.1:7 refused here: its certificate has expired {tail}"),
                format!("WARN connection to 127.0.0.1:7 refused here: {own_name} {tail}"),
                "WARN connection to an unknown address refused by the peer: another node was expected at this \
                 address source=an unknown address withheld=0"
                    .to_owned(),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn ten_refusals_a_second_are_logged_and_the_next_line_tells_of_the_others() {
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
            assert_eq!(refusals.counters.stats().refused_name, 17, "all are counted");
        });
        let lines = lines.await;
        let withheld: Vec<bool> = lines.iter().map(|line| line.ends_with("withheld=0")).collect();
        assert_eq!(withheld, [[true; 10].as_slice(), &[false]].concat());
        assert!(lines[10].ends_with("withheld=6"), "{}", lines[10]);
    }
}
