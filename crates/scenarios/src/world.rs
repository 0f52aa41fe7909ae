//! A world: a runtime on virtual time, a network, and a cluster's authority.

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

/// Where every machine listens.
pub const PORT: u16 = 7946;

/// Where the clocks of the machines stand when a world begins, since the Unix epoch.
const BEGIN: Duration = Duration::from_secs(1_700_000_000);

/// What scenarios run in.
pub struct World {
    /// The network between its machines.
    pub net: Net,
    /// Where a scenario's own decisions come from.
    pub rng: Rng,
    ca: ClusterCa,
    seed: u64,
    begin: Instant,
}

/// Runs a scenario in a new world, on one thread and in virtual time: when nothing can go on, the clock goes to the next
/// timer at once.
///
/// # Panics
/// If the scenario panics, or there is no memory for a runtime.
pub fn run<T>(seed: u64, scenario: impl AsyncFnOnce(World) -> T) -> T {
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
    /// Beyond 250 machines.
    pub fn ip(n: usize) -> IpAddr {
        let last = u8::try_from(n + 1).expect("a world has at most 250 machines");
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    /// Where machine `n` listens.
    ///
    /// # Panics
    /// Beyond 250 machines.
    pub fn addr(n: usize) -> SocketAddr {
        SocketAddr::new(Self::ip(n), PORT)
    }

    /// A machine, for one life of what runs on it.
    pub fn host(&self, n: usize, life: usize) -> Host {
        Host { network: Arc::new(self.net.clone()), seed: self.seed ^ hash((n, life)) }
    }

    /// A certificate for `name`.
    ///
    /// # Panics
    /// If `name` is no label.
    pub fn identity(&self, name: &str) -> NodeIdentity {
        let id = NodeId::new(name).expect("a scenario's names are labels");
        self.ca.issue(&id, Duration::from_hours(24)).expect("the authority can sign")
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
        life: usize,
        config: TransportConfig,
    ) -> Result<(Transport, Incoming), TransportError> {
        Transport::bind_on(config, self.host(n, life))
    }

    /// How long this world has been running.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// What the machines' clocks say, since the Unix epoch.
    pub fn since_epoch(&self) -> Duration {
        BEGIN + self.elapsed()
    }
}
