//! The 256 buckets that names fall into, in which two views are compared.

use kinfolk_core::{NodeId, RegistryView};
use serde::{Deserialize, Serialize};

use super::codec::BUCKETS;

/// Some of the buckets that names fall into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets([u64; BUCKETS / 64]);

impl Buckets {
    /// All of them.
    pub const ALL: Self = Self([u64::MAX; BUCKETS / 64]);
    /// None of them.
    pub const NONE: Self = Self([0; BUCKETS / 64]);

    /// Whether a member of this name is in one of them.
    pub fn hold(&self, id: &NodeId) -> bool {
        *self == Self::ALL || {
            let bucket = usize::from(RegistryView::bucket_of(id));
            self.0[bucket / 64] & (1 << (bucket % 64)) != 0
        }
    }

    pub(crate) fn insert(&mut self, bucket: usize) {
        self.0[bucket / 64] |= 1 << (bucket % 64);
    }
}
