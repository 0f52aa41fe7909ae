//! How the group stands, for an application that wants to know whether it is on the smaller side of a cut. It is a signal:
//! membership, tags, broadcasts and streams go on.

use kinfolk_detector::PartitionStatus;
use kinfolk_gossip::GossipError;

use crate::cluster::Cluster;
use crate::error::ClusterError;

impl Cluster {
    /// How many of the group live, of how many, and whether that is a partition in which we are the minority. As of the last
    /// thing that happened; after a shutdown it stays as it was.
    pub fn partition_status(&self) -> PartitionStatus {
        *self.inner.protocol.partition().borrow()
    }

    /// Whether the application should only read: fewer than the quorum have lived for the whole
    /// [`partition_grace`](kinfolk_swim::SwimConfig::partition_grace), and
    /// [`read_only_in_minority`](crate::ClusterConfig::read_only_in_minority) is set. Kinfolk refuses nothing because of it.
    pub fn is_read_only(&self) -> bool {
        self.inner.is_read_only(self.partition_status())
    }

    /// Waits until [`is_read_only`](Self::is_read_only) is `read_only`; returns at once if it is. Without
    /// [`read_only_in_minority`](crate::ClusterConfig::read_only_in_minority) it never becomes true.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] once this member has shut down.
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn read_only_becomes(&self, read_only: bool) -> Result<(), ClusterError> {
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
