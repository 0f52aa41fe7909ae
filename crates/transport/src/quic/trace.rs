//! The id that both ends of an exchange give to its spans, so that a tracing system joins them.
//!
//! No byte on the wire carries it. Both ends derive it from what both know: a secret of the
//! connection (a TLS exporter, RFC 8446, section 7.5), the stream, and the number of the request on
//! it. So it is unique, and no third party can predict it.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use s2n_quic::provider::event::events::TlsExporterReady;
use tracing::Span;
use tracing::field::display;

/// The label of the exporter. It keeps this use of the connection's secret apart from all others.
const LABEL: &[u8] = b"EXPORTER-kinfolk-trace";

const KEY_BYTES: usize = 16;

/// The secret of one connection from which the ids of its exchanges come. Both ends have the same.
#[derive(Clone, Copy)]
pub(super) struct TraceKey([u8; KEY_BYTES]);

impl TraceKey {
    /// The key of a connection whose handshake gives secrets. `None` if TLS refuses; then spans
    /// have no id.
    pub(super) fn of_connection(event: &TlsExporterReady<'_>) -> Option<Self> {
        let mut key = [0; KEY_BYTES];
        event.session.tls_exporter(LABEL, &[], &mut key).ok().map(|()| Self(key))
    }

    /// The id of request `number` of a stream.
    fn id(&self, stream: u64, number: u64) -> u128 {
        let mut input = [0; KEY_BYTES + 16];
        input[..KEY_BYTES].copy_from_slice(&self.0);
        input[KEY_BYTES..KEY_BYTES + 8].copy_from_slice(&stream.to_be_bytes());
        input[KEY_BYTES + 8..].copy_from_slice(&number.to_be_bytes());
        let hash = digest(&SHA256, &input);
        hash.as_ref().iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte))
    }
}

/// The key is a secret of the connection.
impl fmt::Debug for TraceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceKey").finish_non_exhaustive()
    }
}

/// Records the id of request `number` of a stream in the field `trace` of `span`, as 32 hexadecimal
/// digits: a trace id of W3C. It costs nothing if no subscriber wants the span.
pub(super) fn record(span: &Span, key: Option<&TraceKey>, stream: u64, number: u64) {
    if let Some(key) = key.filter(|_| !span.is_disabled()) {
        span.record("trace", display(format_args!("{:032x}", key.id(stream, number))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exchange_of_each_connection_has_its_id() {
        let (key, other) = (TraceKey([1; KEY_BYTES]), TraceKey([2; KEY_BYTES]));
        let ids = [key.id(0, 0), key.id(0, 1), key.id(1, 0), key.id(4, 0), other.id(0, 0)];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{ids:?}");
        }
        assert_eq!(ids[0], TraceKey([1; KEY_BYTES]).id(0, 0), "both ends get the same");
    }
}
