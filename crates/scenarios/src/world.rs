//! A world: a runtime in virtual time, a network, and a CA.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{ClusterCa, ClusterId, NodeId, NodeIdentity};
use kinfolk_core::Rng;
use kinfolk_transport::simulation::Host;
use kinfolk_transport::{Incoming, Transport, TransportConfig, TransportError};
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::net::{Net, hash};

/// The port on which every machine listens.
pub const PORT: u16 = 7946;

/// The clock of the machines at the start of a world, since the Unix epoch.
const BEGIN: Duration = Duration::from_secs(1_700_000_000);

/// The environment of a scenario.
pub struct World {
    /// The network between its machines.
    pub net: Net,
    /// The source of a scenario's own random choices.
    pub rng: Rng,
    ca: ClusterCa,
    seed: u64,
    begin: Instant,
}

/// Runs a scenario in a new world, on one thread and in virtual time. When all tasks wait, the
/// clock jumps to the next timer.
///
/// # Panics
/// If the scenario panics, or the system has no memory for a runtime.
pub fn run<T>(seed: u64, scenario: impl AsyncFnOnce(World) -> T) -> T {
    // One thread: the order of the tasks must depend on the seed alone.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O needs nothing of the system").block_on(async {
        let cluster = ClusterId::new("scenario").expect("a label");
        let world = World {
            net: Net::new(seed),
            rng: Rng::from_seed(seed),
            ca: ClusterCa::create(&cluster).expect("a new key signs its own certificate"),
            seed,
            begin: Instant::now(),
        };
        scenario(world).await
    })
}

impl World {
    /// The IP address of machine `n`.
    ///
    /// # Panics
    /// If `n` exceeds 254: the last byte of the address is `n` + 1.
    pub fn ip(n: usize) -> IpAddr {
        let last = u8::try_from(n + 1).expect("a world has at most 255 machines");
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    /// The address on which machine `n` listens.
    ///
    /// # Panics
    /// As [`ip`](Self::ip).
    pub fn addr(n: usize) -> SocketAddr {
        SocketAddr::new(Self::ip(n), PORT)
    }

    /// The network access of machine `n`, for one instance of its node. Each instance has its own
    /// random numbers.
    pub fn host(&self, n: usize, instance: usize) -> Host {
        Host { network: Arc::new(self.net.clone()), seed: self.seed ^ hash((n, instance)) }
    }

    /// The authority of the world's cluster.
    pub fn ca(&self) -> &ClusterCa {
        &self.ca
    }

    /// Issues a certificate to `name`.
    ///
    /// # Panics
    /// If `name` is not a valid name of a node.
    pub fn identity(&self, name: &str) -> NodeIdentity {
        let id = NodeId::new(name).expect("a scenario's names are labels");
        self.ca.issue(&id, Duration::from_hours(24)).expect("the CA can sign")
    }

    /// The settings of a transport on machine `n`.
    pub fn config(&self, n: usize, name: &str) -> TransportConfig {
        TransportConfig::new(Self::addr(n), self.identity(name))
    }

    /// Starts a transport on machine `n`.
    ///
    /// # Errors
    /// As [`Transport::bind`].
    pub fn bind(
        &self,
        n: usize,
        instance: usize,
        config: TransportConfig,
    ) -> Result<(Transport, Incoming), TransportError> {
        Transport::bind_on(config, self.host(n, instance))
    }

    /// The time since the start of this world.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The time on the machines' clocks, since the Unix epoch.
    pub fn since_epoch(&self) -> Duration {
        BEGIN + self.elapsed()
    }
}
