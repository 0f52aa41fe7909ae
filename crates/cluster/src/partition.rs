//! The partition status, for an application that must know whether it is in a minority. It is only
//! a signal: membership, tags, broadcasts, and streams continue.

use kinfolk_detector::PartitionStatus;
use kinfolk_gossip::GossipError;

use crate::cluster::Cluster;
use crate::error::ClusterError;

impl Cluster {
    /// The number of live members, the known size of the group, and whether this member is in the
    /// minority of a partition. The status is as of the last input of the protocol. It does not
    /// change after a shutdown.
    pub fn partition_status(&self) -> PartitionStatus {
        *self.inner.protocol.partition().borrow()
    }

    /// Whether the application should only read. True if fewer members than the quorum were alive
    /// for the whole [`partition_grace`](kinfolk_swim::SwimConfig::partition_grace), and
    /// [`read_only_in_minority`](crate::ClusterConfig::read_only_in_minority) is set. Kinfolk
    /// itself refuses no operation because of it.
    pub fn is_read_only(&self) -> bool {
        self.inner.is_read_only(self.partition_status())
    }

    /// Waits until [`is_read_only`](Self::is_read_only) equals `read_only`. Returns at once if it
    /// does already. Without [`read_only_in_minority`](crate::ClusterConfig::read_only_in_minority)
    /// it never becomes true.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] after this member has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn read_only_becomes(&self, read_only: bool) -> Result<(), ClusterError> {
        // A watch channel keeps the latest value, so no change between two polls is missed.
        let mut partition = self.inner.protocol.partition();
        let becomes = partition.wait_for(|status| self.inner.is_read_only(*status) == read_only);
        becomes.await.map(|_| ()).map_err(|_| GossipError::Stopped.into())
    }
}

impl crate::cluster::Inner {
    fn is_read_only(&self, status: PartitionStatus) -> bool {
        self.read_only_in_minority && status.read_only
    }
}
