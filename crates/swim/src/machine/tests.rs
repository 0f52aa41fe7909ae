//! Tests of the machine without a driver: each test gives inputs and asserts the whole sequence of
//! outputs.

mod arbitrary;
mod back_pressure;
mod bench;
mod closed_rings;
mod commands;

mod counters;
mod findings;
mod forget;
mod gossip;
mod introduction;
mod lateness;
mod mass_failure;
mod name_conflicts;
mod open_connections;
mod pending_verdicts;
mod probes;
mod reserve;
mod return_check;
mod subject_probes;
mod suspicions;
mod verified;
mod views;
mod wall_clock;
