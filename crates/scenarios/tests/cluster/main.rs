//! Whole members on a simulated network in virtual time: each scenario in a file of its own. What they assert, any mode of
//! the protocol must hold; so their deadlines are far beyond what it should need.

mod back_pressure;
mod clock;
mod crash;
mod field_reports;
mod forget;
mod forms;
mod leave;
mod loss;
mod mass_crash;
mod memory;
mod old_state;
mod partition;
mod reunion;
mod seeds;
mod slow_peer;
mod tags;
mod twice;
