//! Membership by gossip as a pure state machine: time, chance, messages and failures come in as inputs, and what is to be
//! done comes out as outputs. [`Mode::Verified`] is the default: rings of watchers, witnesses, checks of ports. SWIM (Das,
//! Gupta and Motivala, DSN 2002) and Lifeguard (Dadgar, Phillips and Currey, DSN 2018) are there as their papers have them.
//!
//! Nothing here knows a clock, a socket, a runtime or the operating system's randomness; `cargo xtask layers` checks it.

mod context;
mod detection;
mod dissemination;
mod fact;
mod interface;
mod machine;
mod members;
mod myself;
mod purpose;
mod repair;
mod report;
mod requests;
mod roster;
mod timer;
mod view;
mod wire;

pub use dissemination::{GossipQueue, transmit_limit};
pub use interface::config::{Mode, SwimConfig};
pub use interface::delivery::{Delivery, Dial, Traffic};
pub use interface::error::{CommandError, ConfigError, ForgetError};
pub use interface::input::{CheckId, Command, CommandId, Input, NoReply, ReplyId, RequestId};
pub use interface::output::{JoinFailure, Outcome, Output, RefusedClaim, RefusedJoin};
pub use interface::priority::Priority;
pub use interface::stats::SwimStats;
pub use machine::Machine;
pub use wire::buckets::Buckets;
pub use wire::codec;
pub use wire::error::CodecError;
pub use wire::message::{Message, Reception, Update, UserMessage};
