//! Group membership by gossip as a pure state machine. Time, messages, and failed requests are
//! inputs. Messages to send and events to report are outputs. The random numbers come from a seed.
//!
//! [`Mode::Verified`] is the default: rings of watchers, witnesses, and port checks. The crate also
//! has SWIM (Das, Gupta, Motivala, DSN 2002) and Lifeguard (Dadgar, Phillips, Currey, DSN 2018) as
//! their papers define them.
//!
//! This crate uses no clock, no socket, no runtime, and no random numbers of the operating system.
//! So the driver, the simulator, and the tests run the same code. `cargo xtask layers` checks it.

mod absences;
mod accusations;
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
mod revocations;
mod roster;
mod timer;
mod view;
mod wire;

pub use detection::entitled_accusers;
pub use dissemination::{GossipQueue, transmit_limit};
pub use interface::config::{Mode, SwimConfig};
pub use interface::delivery::{Delivery, Dial, Traffic};
pub use interface::error::{CommandError, ConfigError, ForgetError};
pub use interface::input::{CheckId, Command, CommandId, Input, NoReply, ReplyId, RequestId, Signer};
pub use interface::output::{JoinFailure, Outcome, Output, RefusedClaim, RefusedJoin, Revoked};
pub use interface::priority::Priority;
pub use interface::round_trips::RoundTrips;
pub use interface::stats::{SwimStats, ViewChanges};
pub use machine::Machine;
pub use wire::buckets::Buckets;
pub use wire::codec;
pub use wire::error::CodecError;
pub use wire::message::{Message, Reception, Update, UserMessage};
