//! A table that assigns each of a fixed number of partitions to an instance. All members with equal
//! pools compute the same table. Equal fingerprints show that the tables are equal.

use crate::choice::{Choice, Why};
use crate::hash;
use crate::pool::Pool;

/// An assignment of partitions to instances, for programs that move whole partitions and not single
/// keys.
///
/// # Examples
/// ```
/// use kinfolk_core::NodeId;
/// use kinfolk_select::{Instance, Pool, Ring};
/// let addr = ([10, 0, 0, 1], 80).into();
/// let instance = |name: &str| Instance::new(NodeId::new(name).unwrap(), addr);
/// let pool = Pool::builder(["a", "b", "c"].map(instance)).build();
/// let ring = Ring::new(pool, 64);
/// let owner = ring.owner(ring.partition("user:1")).unwrap().instance.node.clone();
/// assert_eq!(Some(&owner), ring.owner_of("user:1").map(|choice| &choice.instance.node));
/// ```
#[derive(Debug, Clone)]
pub struct Ring {
    pool: Pool,
    /// For each partition the position of its owner in the pool; empty if the pool is empty.
    owners: Box<[u32]>,
    partitions: u32,
}

impl Ring {
    /// The largest number of partitions. The table then takes 4 MiB: 4 bytes for each partition.
    pub const PARTITIONS_MAX: u32 = 1 << 20;

    /// Assigns this many partitions by weighted rendezvous hashing. 0 counts as 1, and more than
    /// [`PARTITIONS_MAX`](Self::PARTITIONS_MAX) counts as `PARTITIONS_MAX`. It takes about 10 ns
    /// for each pair of partition and instance.
    pub fn new(pool: Pool, partitions: u32) -> Self {
        let partitions = partitions.clamp(1, Self::PARTITIONS_MAX);
        let owner = |partition: u32| {
            let at = pool.best(key_of(partition))?;
            u32::try_from(at).ok()
        };
        // An empty pool has no best instance, so the table stays empty.
        let owners = (0..partitions).map_while(owner).collect();
        Self { pool, owners, partitions }
    }

    /// The number of partitions.
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// The partition of a key. It depends only on the key and the number of partitions, so a key
    /// keeps its partition when the members change.
    #[expect(clippy::missing_panics_doc, reason = "a remainder of a 32-bit number fits in 32 bits")]
    pub fn partition(&self, key: impl AsRef<[u8]>) -> u32 {
        let partition = hash::of_key(key.as_ref()) % u64::from(self.partitions);
        u32::try_from(partition).expect("a remainder of a 32-bit number")
    }

    /// The owner of a partition. `None` if the pool is empty, or there is no such partition.
    pub fn owner(&self, partition: u32) -> Option<Choice<'_>> {
        let at = *self.owners.get(partition as usize)? as usize;
        let Pool { instances, panic, .. } = &self.pool;
        Some(Choice {
            instance: &instances[at],
            why: Why::Key { rank: 0 },
            of: instances.len(),
            panic: *panic,
        })
    }

    /// The owner of a key's partition. `None` if the pool is empty.
    pub fn owner_of(&self, key: impl AsRef<[u8]>) -> Option<Choice<'_>> {
        self.owner(self.partition(key))
    }

    /// The partitions of one member, in order.
    pub fn owned_by(&self, node: &kinfolk_core::NodeId) -> impl Iterator<Item = u32> {
        let at = self.pool.position(node).and_then(|at| u32::try_from(at).ok());
        (0_u32..)
            .zip(&self.owners)
            .filter(move |(_, owner)| Some(**owner) == at)
            .map(|(partition, _)| partition)
    }

    /// A hash of the pool and of the number of partitions. Equal tables of two members have equal
    /// fingerprints. Different pools have equal fingerprints with a chance of 1 in 2^64.
    pub fn fingerprint(&self) -> u64 {
        hash::chained(self.pool.fingerprint(), u64::from(self.partitions))
    }

    /// The pool of the ring.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

/// The hash of a partition's number. It takes the place of a key's hash in rendezvous hashing.
fn key_of(partition: u32) -> u64 {
    hash::of_key(&partition.to_le_bytes())
}
