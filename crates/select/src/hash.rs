//! The hashes that decide which instance holds a key: XXH3 with 64 bits, over bytes in
//! little-endian order. They must be the same in every version and on every platform. Otherwise
//! members place a key differently. The tests contain recorded values.

use kinfolk_core::NodeId;
use twox_hash::XxHash3_64;

/// The hash of a member's name.
pub(crate) fn of_node(node: &NodeId) -> u64 {
    XxHash3_64::oneshot(node.as_str().as_bytes())
}

/// The hash of a key.
pub(crate) fn of_key(key: &[u8]) -> u64 {
    XxHash3_64::oneshot(key)
}

/// The hash of a pair: of a key and a member.
#[inline]
pub(crate) fn of_pair(key: u64, node: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(key, &node.to_le_bytes())
}

/// Adds one more number to the hash of a sequence.
pub(crate) fn chained(hash: u64, next: u64) -> u64 {
    of_pair(hash, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_hashes_stay() {
        // The first is the published value of XXH3 for an empty input.
        assert_eq!(of_key(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(of_key(b"user:1"), RECORDED[0]);
        assert_eq!(of_node(&NodeId::new("db-1").unwrap()), RECORDED[1]);
        assert_eq!(of_pair(1, 2), RECORDED[2]);
        assert_eq!(chained(chained(0, 1), 2), RECORDED[3]);
    }

    /// Computed with the reference implementation of XXH3.
    const RECORDED: [u64; 4] =
        [0x3b57_7afd_7fed_9501, 0x3f12_697f_9419_cbfc, 0x1722_dee5_0e00_c79c, 0xc552_6e54_81d0_3c88];
}
