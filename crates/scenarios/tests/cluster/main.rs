//! Tests of whole members on a simulated network in virtual time. Each scenario has a file of its
//! own. Every mode of the protocol must pass them, so their time limits are far above the usual
//! times.

mod back_pressure;
mod clock;
mod coordinates;
mod crash;
mod field_reports;
mod forget;
mod formation;
mod hostile;
mod leave;
mod loss;
mod maintenance;
mod mass_crash;
mod old_state;
mod partition;
mod reconnect;
mod revocation;
mod rotation;
mod seeds;
mod slow_peer;
mod state_dir;
mod tags;
mod twice;
