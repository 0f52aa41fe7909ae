//! Streams of bytes between programs on two members, over the connections that the transport keeps to members anyway.
//! What the bytes mean is the programs' business. Here a member's name becomes its address; the rest is the transport's.

use kinfolk_core::NodeId;
use kinfolk_transport::{AppStream, Listener, Peer, ServiceError};

use crate::cluster::Cluster;
use crate::error::OpenError;

impl Cluster {
    /// Opens a stream to a service of the member `node`, within
    /// [`stream_timeout`](crate::ClusterConfig::stream_timeout). It returns when the stream waits in the service's backlog
    /// there; when the program takes it from the backlog, is not told.
    ///
    /// Streams have connections of their own: they do not delay the protocol's probes, and hold at most half of the pool.
    /// A writer waits while the program at the other end does not read.
    ///
    /// # Errors
    /// [`OpenError`]: the name is not a member's, the member has failed or left, or the request failed; for instance
    /// [`Rejected`](crate::RequestError::Rejected) if nobody there accepts the service, or its backlog is full.
    ///
    /// # Cancel safety
    /// The stream is cut off; the program there may see it come and go.
    ///
    /// # Examples
    /// One member asks, the other answers.
    /// ```
    /// # use std::time::Duration;
    /// # use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let ca = ClusterCa::create(&ClusterId::new("shop")?)?;
    /// # let start = |name: &str| -> Result<Cluster, Box<dyn std::error::Error>> {
    /// #     let identity = ca.issue(&NodeId::new(name)?, Duration::from_secs(3600))?;
    /// #     Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
    /// # };
    /// # let (a, b) = (start("a")?, start("b")?);
    /// # b.join(&[a.addr().to_string()]).await?;
    /// let mut greetings = a.accept("greetings")?;
    /// tokio::spawn(async move {
    ///     while let Some((from, mut stream)) = greetings.accept().await {
    ///         let _gone = stream.send(format!("hello, {from}").into()).await;
    ///         let _gone = stream.finish();
    ///     }
    /// });
    /// let mut stream = b.open_stream(a.id(), "greetings").await?;
    /// assert_eq!(stream.receive().await?.as_deref(), Some(&b"hello, b"[..]));
    /// # a.shutdown_now();
    /// # b.shutdown_now();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_stream(&self, node: &NodeId, service: &str) -> Result<AppStream, OpenError> {
        let peer = self.member(node)?;
        let opening = self.inner.transport.open_stream(&peer, service, self.inner.stream_timeout);
        Ok(opening.await?)
    }

    /// Accepts the streams that members open to a service of this one, until the [`Listener`] is dropped or the member
    /// stops. Each comes with the name in its opener's certificate.
    ///
    /// # Errors
    /// [`ServiceError`]: the name cannot be one, the service is accepted already, or the member has been shut down.
    pub fn accept(&self, service: &str) -> Result<Listener, ServiceError> {
        self.inner.transport.accept(service)
    }

    /// Where a member is reached.
    fn member(&self, node: &NodeId) -> Result<Peer, OpenError> {
        let members = self.members();
        // Our own entry says that we left as soon as a leave begins, and is gone once we have stopped.
        if !members.get(self.id()).is_some_and(|me| me.state.is_member()) {
            return Err(OpenError::Stopped);
        }
        if node == self.id() {
            return Err(OpenError::Ourselves);
        }
        let status = members.get(node).ok_or_else(|| OpenError::Unknown { node: node.clone() })?;
        if !status.state.is_member() {
            return Err(OpenError::Gone { node: node.clone(), state: status.state });
        }
        Ok(Peer::new(node.clone(), status.addr))
    }
}
