//! A deterministic simulator. It runs many real [`kinfolk_swim::Machine`]s with their real health
//! checkers, in virtual time. Its network delays, loses, duplicates, and cuts messages. A run is a
//! function of its seed: the same seed always gives the same trace and the same result.
//!
//! The simulator models messages, not packets. The whole-stack tests check what QUIC does below a
//! message: handshakes, retransmission, and flow control.
//!
//! ```text
//!   Scenario (nodes, network, script) + seed
//!        └─> World: one ordered queue of events
//!              ├── Node: Machine + HealthChecker        one for each member
//!              ├── Network: when a message arrives, if it does
//!              ├── Trace: one line for each event
//!              └── Checks: every invariant sees every change  ──> Report
//! ```

mod checks;
mod clock;
pub mod experiments;
mod faults;
mod figures;
pub mod hostile;
pub mod invariants;
mod load;
mod network;
mod node;
mod observed;
mod parallel;
mod queue;
mod report;
mod scenario;
mod seed;
mod seen;
mod tickets;
mod trace;
mod traffic;
mod truth;
mod world;

pub use checks::{Checks, Violation};
pub use faults::{Fault, Script, Step};
pub use figures::Figures;
pub use load::{LoadConfig, Transport};
pub use network::{Fate, LinkRule, Network, NetworkConfig};
pub use node::NodeIndex;
pub use observed::{Ending, Moment, Observed};
pub use parallel::side_by_side;
pub use report::{Report, checks, run};
pub use scenario::{Kind, Scenario};
pub use seed::Streams;
pub use seen::{Seen, Verdict, What};
pub use trace::Trace;
pub use traffic::Traffic;
pub use truth::{TrueNode, Truth};
pub use world::World;
