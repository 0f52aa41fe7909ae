//! Hostile members. A liar is a node with a valid key. It runs the protocol, and in addition it
//! attacks by a [`Strategy`]. Everything follows from the seed.
//!
//! ```text
//!   Attack ──┬─ strategy.rs    what the liar does, and when
//!            ├─ forge.rs       makes false claims, accusations, and statements
//!            └─ victims.rs     the members that pause or crash meanwhile
//!   collude.rs ── rings.rs     colluders that accuse together, and whom they can remove
//! ```

mod attack;
mod collude;
mod forge;
mod rings;
mod strategy;
mod victims;

use kinfolk_swim::SwimConfig;

use crate::checks::Checks;
use crate::invariants::{
    HonestStay, Incarnations, Invariant, NothingForged, NothingInvented, Precedence, ViewsAgree, ViewsTrue,
};
use crate::node::NodeIndex;

pub use attack::Attack;
pub use collude::{Collusion, Removed};
pub use rings::entitled_of;
pub use strategy::{Form, Incarnations as Aim, Schedule, Strategy};

/// What must hold although these members lie, if they are fewer than the quorum.
pub fn checks(config: &SwimConfig, liars: &[NodeIndex]) -> Checks {
    let liars = || liars.iter().copied();
    let invariants: Vec<Box<dyn Invariant>> = vec![
        // Only the first violation counts, so what a liar may cause comes first.
        Box::new(HonestStay::despite(liars(), config.tolerated_pause / 2)),
        Box::new(NothingForged::despite(liars())),
        Box::new(NothingInvented::despite(liars())),
        Box::new(Incarnations::default()),
        Box::new(Precedence),
        Box::new(ViewsAgree),
        Box::new(ViewsTrue),
    ];
    Checks::new(invariants)
}
