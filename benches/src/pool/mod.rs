//! The connection pool, measured: against a mutex around a connection, against QUIC alone, against a fresh connection for
//! each request; and what it takes to find a ready connection. All over loopback, client and server in one process.
//!
//! | variant | what it does for each request |
//! |---|---|
//! | `mutex_hold` | locks a tokio mutex around the one connection until the answer is there |
//! | `mutex_open` | locks it only to open the stream |
//! | `stream_split` | [`Transport::request`](kinfolk_transport::Transport::request): the pool, with its limits and time-outs |
//! | `raw_handle` | opens a stream on a clone of QUIC's handle: no pool, no limit, no time-out |
//!
//! All four use the same TLS, certificates of the same authority, the same frames, the same QUIC limits, and talk to the
//! same server, a [`Transport`](kinfolk_transport::Transport) whose application echoes. Each has one connection from a
//! socket of its own. What differs: only `stream_split` counts datagrams and round trips by QUIC's events, bounds its open
//! streams, and keeps a deadline.

mod bars;
mod bed;
mod fresh;
mod lookup;
mod raw;
mod report;
mod table;
mod throughput;
mod variant;

pub use bars::Bar;
pub use bed::{Bed, Load};
pub use fresh::{Fresh, FreshCell};
pub use lookup::{Lookup, LookupCell};
pub use report::{Plan, Report};
pub use throughput::{Ratio, ThroughputCell};
pub use variant::Variant;
