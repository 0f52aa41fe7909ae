//! The handlers: one file for each resource. They only translate between HTTP and the library.

pub(super) mod agent;
pub(super) mod certificates;
pub(super) mod coordinates;
pub(super) mod events;
pub(super) mod health;
pub(super) mod leave;
pub(super) mod maintenance;
pub(super) mod members;
pub(super) mod metrics;
pub(super) mod partition;
pub(super) mod reload;
pub(super) mod revocations;
pub(super) mod round_trips;
pub(super) mod services;
pub(super) mod stats;
pub(super) mod tags;
