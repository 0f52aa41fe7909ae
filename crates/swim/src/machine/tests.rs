//! The machine, driven by hand: each test gives inputs and asserts the whole sequence of outputs.

mod arbitrary;
mod bench;
mod closed_rings;
mod commands;
mod congestion;
mod counters;
mod findings;
mod forget;
mod gossip;
mod introduction;
mod lateness;
mod mass;
mod name_conflicts;
mod near;
mod pending_verdicts;
mod probes;
mod reserve;
mod return_check;
mod subject_probes;
mod suspicions;
mod verified;
mod views;
mod wall_clock;
