//! Measures the connection pool against a mutex around a connection, against QUIC alone, and
//! against a fresh connection for each request. Also measures the lookup of a ready connection.
//! Everything runs over loopback, with client and server in one process.
//!
//! | variant | for each request, it |
//! |---|---|
//! | `mutex_hold` | locks a tokio mutex around the one connection until the answer is there |
//! | `mutex_open` | locks the mutex only to open the stream |
//! | `stream_split` | calls [`request`](kinfolk_transport::Transport::request): uses the pool |
//! | `raw_handle` | opens a stream on a clone of QUIC's handle: no pool, limit, or time-out |
//!
//! All four use the same TLS, certificates of the same authority, and the same frames. Their QUIC
//! limits for time-outs and numbers of streams are equal. They use the same server, a
//! [`Transport`](kinfolk_transport::Transport) whose application echoes. Each variant has one
//! connection from its own socket.
//!
//! Only `stream_split` counts datagrams and round trips by QUIC's events, bounds its open streams,
//! and keeps a deadline. It reuses one kept stream for small requests, one after another. It also
//! has the transport's own buffers, acknowledgement interval, and packets of 1,200 bytes; the other
//! clients have QUIC's defaults there.

mod expectations;
mod fresh;
mod lookup;
mod raw;
mod report;
mod table;
mod test_bed;
mod throughput;
mod variant;

pub use expectations::Expectation;
pub use fresh::{Fresh, FreshCell};
pub use lookup::{Lookup, LookupCell};
pub use report::{Plan, Report};
pub use test_bed::{Load, TestBed};
pub use throughput::{Ratio, ThroughputCell};
pub use variant::Variant;
