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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn set_holds_only_the_inserted_buckets() {
        let mut names = BTreeMap::new();
        for number in 0.. {
            let id = NodeId::new(&format!("n{number}")).unwrap();
            names.entry(usize::from(RegistryView::bucket_of(&id))).or_insert(id);
            if names.len() == BUCKETS {
                break;
            }
        }
        let held = |set: &Buckets| -> Vec<usize> {
            names.iter().filter(|(_, id)| set.hold(id)).map(|(bucket, _)| *bucket).collect()
        };
        for bucket in 0..BUCKETS {
            let mut set = Buckets::NONE;
            set.insert(bucket);
            assert_eq!(held(&set), [bucket]);
            set.insert(255);
            set.insert(0);
            assert!(held(&set).iter().all(|held| [0, bucket, 255].contains(held)));
            assert!([0, bucket, 255].iter().all(|wanted| held(&set).contains(wanted)));
        }
        assert_eq!((held(&Buckets::ALL).len(), held(&Buckets::NONE).len()), (BUCKETS, 0));
    }
}
