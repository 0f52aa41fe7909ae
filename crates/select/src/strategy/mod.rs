//! The strategies that choose one or more instances from a pool. Each is a method of
//! [`Pool`].

mod chance;
mod key;
mod least_loaded;
mod replicas;

use crate::choice::{Choice, Why};
use crate::pool::Pool;

impl Pool {
    /// The choice of the instance at this position.
    fn choice(&self, at: usize, why: Why) -> Choice<'_> {
        Choice { instance: &self.instances[at], why, of: self.len(), panic: self.panic }
    }
}
