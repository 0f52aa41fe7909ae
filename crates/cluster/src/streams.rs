//! Streams of bytes between applications on two members. This file finds the address of a member by
//! its name; the transport does the rest. The applications define the meaning of the bytes.

use kinfolk_core::NodeId;
use kinfolk_transport::{AppStream, Listener, Peer, ServiceError};

use crate::cluster::Cluster;
use crate::error::OpenError;

impl Cluster {
    /// Opens a stream to a service of the member `node`, within
    /// [`stream_timeout`](crate::ClusterConfig::stream_timeout). Returns when the stream is in the
    /// backlog of the service at the peer. The peer's application may accept it from there later.
    ///
    /// Streams have connections of their own, so they do not delay the probes. These connections
    /// hold at most half of the pool. A writer waits while the application at the other end does
    /// not read.
    ///
    /// A stream may be open for long, also over rotations of the certificates. It ends when a
    /// certificate of its connection's handshake expires, with
    /// [`StreamError::Closed`](crate::StreamError::Closed) and the cause
    /// [`CertificateExpired`](crate::Ending::CertificateExpired) or
    /// [`PeerCertificateExpired`](crate::Ending::PeerCertificateExpired). Then open another one.
    ///
    /// # Errors
    /// [`OpenError`]: no member has that name, the member has failed or left, or the request
    /// failed. An example is [`Rejected`](crate::RequestError::Rejected), if no application at the
    /// peer accepts the service, or its backlog is full.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream. The application at the peer may see it open and end.
    ///
    /// # Examples
    /// One member opens a stream, and the other one answers on it.
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
    ///         let _closed = stream.send(format!("hello, {from}").into()).await;
    ///         let _closed = stream.finish();
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

    /// Accepts the streams that other members open to a service of this member, until the
    /// [`Listener`] is dropped or the member stops. Each stream comes with the name in the
    /// certificate of its opener.
    ///
    /// # Errors
    /// [`ServiceError`]: the name is not valid for a service, the service has a listener already,
    /// or this member was shut down.
    pub fn accept(&self, service: &str) -> Result<Listener, ServiceError> {
        self.inner.transport.accept(service)
    }

    /// The name and the address of a member.
    fn member(&self, node: &NodeId) -> Result<Peer, OpenError> {
        let members = self.members();
        // Our own entry becomes `Left` when a leave starts, and is removed when the shutdown ends.
        if !members.get(self.id()).is_some_and(|me| me.state.is_member()) {
            return Err(OpenError::Stopped);
        }
        if node == self.id() {
            return Err(OpenError::Ourselves);
        }
        let status = members.get(node).ok_or_else(|| OpenError::Unknown { node: node.clone() })?;
        if !status.state.is_member() {
            return Err(OpenError::NotMember { node: node.clone(), state: status.state });
        }
        Ok(Peer::new(node.clone(), status.addr))
    }
}
