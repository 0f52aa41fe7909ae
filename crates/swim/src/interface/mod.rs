//! What a user of the machine sees: its configuration, inputs, outputs, errors and counters. Nothing here does anything.

pub(crate) mod config;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod priority;
pub(crate) mod stats;
