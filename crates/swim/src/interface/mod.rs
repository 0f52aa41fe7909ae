//! The types that a user of the machine sees: configuration, inputs, outputs, errors, and counters.
//! They have no behaviour of their own.

pub(crate) mod config;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod priority;
pub(crate) mod round_trips;
pub(crate) mod stats;
