//! The machine, driven by hand: each test gives inputs and asserts the whole sequence of outputs.

mod arbitrary;
mod bench;
mod comeback;
mod commands;
mod congestion;
mod disputes;
mod forget;
mod gossip;
mod introduction;
mod mass;
mod name_conflicts;
mod probes;
mod reserve;
mod suspicions;
mod verified;
mod views;
mod wall_clock;
