//! The 256 buckets of names. Two views are compared bucket by bucket, so that only the members in
//! the buckets that differ are exchanged.

use kinfolk_core::{NodeId, RegistryView};
use serde::{Deserialize, Serialize};

use super::codec::BUCKETS;

/// A set of buckets of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets([u64; BUCKETS / 64]);

impl Buckets {
    /// All buckets.
    pub const ALL: Self = Self([u64::MAX; BUCKETS / 64]);
    /// No bucket.
    pub const NONE: Self = Self([0; BUCKETS / 64]);

    /// Whether the bucket of this name is in the set.
    pub fn hold(&self, id: &NodeId) -> bool {
        // An exchange of whole views needs no hash of each name.
        *self == Self::ALL || {
            let bucket = usize::from(RegistryView::bucket_of(id));
            self.0[bucket / 64] & (1 << (bucket % 64)) != 0
        }
    }

    /// Adds a bucket, 0 to 255.
    pub(crate) fn insert(&mut self, bucket: usize) {
        self.0[bucket / 64] |= 1 << (bucket % 64);
    }
}
