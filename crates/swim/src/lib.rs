//! Membership by gossip as a pure state machine: time, chance, messages and failures come in as inputs, and what is to be
//! done comes out as outputs. [`Mode::Verified`] is the default: rings of watchers, witnesses, checks of ports. SWIM (Das,
//! Gupta and Motivala, DSN 2002) and Lifeguard (Dadgar, Phillips and Currey, DSN 2018) are there as their papers have them.
//!
//! Nothing here knows a clock, a socket, a runtime or the operating system's randomness; `cargo xtask layers` checks it.

mod brake;
mod broadcast;
pub mod codec;
mod comeback;
mod compare;
mod config;
mod congestion;
mod corrections;
mod describe;
mod dispute;
mod error;
mod explain;
mod flaps;
mod flood;
mod forget;
mod healer;
mod input;
mod introduction;
mod joining;
mod loss;
mod machine;
mod message;
mod name_conflicts;
mod on_change;
mod on_command;
mod on_gossip;
mod on_message;
mod on_reply;
mod on_timeout;
mod output;
mod overlay;
mod pause;
mod port;
mod probe;
mod queue;
mod refute;
mod relay;
mod requests;
mod reserve;
mod rings;
mod round_trip;
mod spacing;
mod stats;
mod suspect;
mod sync;
mod timer;
mod verdict;
mod wall_clock;
mod watch;
mod witness;

pub use compare::Buckets;
pub use config::{Mode, SwimConfig};
pub use error::{CodecError, CommandError, ConfigError, ForgetError};
pub use input::{CheckId, Command, CommandId, Input, NoReply, ReplyId, RequestId};
pub use joining::Reception;
pub use machine::Machine;
pub use message::{Message, Update, UserMessage};
pub use output::{JoinFailure, Outcome, Output, RefusedClaim, RefusedJoin};
pub use queue::{GossipQueue, Priority, transmit_limit};
pub use stats::SwimStats;
