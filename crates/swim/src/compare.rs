//! temporary
use kinfolk_core::{Instant, NodeId};

use crate::machine::Machine;

impl Machine {
    pub(crate) fn view_digest(&self) -> u32 {
        0
    }
    pub(crate) fn compared(&mut self, _now: Instant, _from: &NodeId, _differs: bool) {}
}
