//! Joining: every seed is asked who it is, and the group is entered through those that answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use kinfolk_core::{NodeId, NodeState};
use kinfolk_gossip::SwimProtocol;
use kinfolk_transport::{Peer, Transport};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cluster::Inner;
use crate::config::JoinPolicy;
use crate::error::{JoinError, SeedError, SeedFailure};

/// How many addresses of one seed's name are tried.
const ADDRESSES_MAX: usize = 4;
/// How many seeds are tried side by side.
const SEEDS_AT_ONCE: usize = 16;

/// How a join went.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinReport {
    /// How many members we then know, ourselves included.
    pub members: usize,
    /// The seeds that let us join, by their names; none where there was no seed but ourselves.
    pub through: Vec<NodeId>,
    /// The seeds that did not, each with its cause. They cost nothing but a warning.
    pub failed: Vec<SeedFailure>,
}

/// So many attempts are logged each, and later ones once a minute.
const LOGGED_ATTEMPTS: u32 = 10;
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// What became of one seed at one attempt.
#[derive(Debug, PartialEq)]
pub(crate) enum Tried {
    /// Whom it is, and at which address.
    Joined(NodeId, SocketAddr),
    Ourselves(SocketAddr),
    /// It was not contacted, because a living member has its address.
    WithUs,
    Failed(SeedError),
}

pub(crate) async fn join(member: &Inner, seeds: &[String]) -> Result<JoinReport, JoinError> {
    let attempts = member.join.attempts.map(|attempts| attempts.max(1));
    let (mut attempt, mut last) = (0_u32, Vec::new());
    let mut logged_at: Option<Instant> = None;
    loop {
        let tried = tokio::select! {
            biased;
            () = member.protocol.ended() => None,
            tried = try_all(member, seeds) => Some(tried),
        };
        let Some((through, failed)) = tried.filter(|_| !has_left(member)) else {
            return Err(JoinError { attempts: attempt, seeds: last, stopped: true });
        };
        if !through.is_empty() || failed.is_empty() {
            for failure in &failed {
                tracing::warn!(seed = %failure.seed, cause = %failure.cause, "this seed did not let us join; others did");
            }
            return Ok(JoinReport { members: member.registry.member_count(), through, failed });
        }
        attempt = attempt.saturating_add(1);
        if Some(attempt) == attempts {
            return Err(JoinError { attempts: attempt, seeds: failed, stopped: false });
        }
        let delay = member.join.delay(attempt - 1, member.rng.lock().unit());
        if attempt <= LOGGED_ATTEMPTS || logged_at.is_none_or(|at| at.elapsed() >= LOGGED_EVERY) {
            logged_at = Some(Instant::now());
            let seeds = failed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let next_in_ms = whole_millis(delay);
            tracing::info!(attempt, attempts, next_in_ms, seeds, "no seed let us join yet; trying again");
        }
        last = failed;
        tokio::select! {
            () = member.protocol.ended() => {}
            () = sleep(delay) => {}
        }
    }
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether we have said that we leave, or the registry is cleared already.
fn has_left(member: &Inner) -> bool {
    member.registry.get(member.protocol.id()).is_none_or(|mine| mine.state == NodeState::Left)
}

/// One attempt at every seed: those that let us join, and those that did not, both in the order given.
async fn try_all(member: &Inner, seeds: &[String]) -> (Vec<NodeId>, Vec<SeedFailure>) {
    let (mut through, mut failed) = (Vec::new(), Vec::new());
    for some in seeds.chunks(SEEDS_AT_ONCE) {
        for (seed, tried) in some.iter().zip(try_some(member, some).await) {
            match tried {
                Tried::Joined(node, _) if !through.contains(&node) => through.push(node),
                Tried::Joined(..) | Tried::Ourselves(_) | Tried::WithUs => {}
                Tried::Failed(cause) => failed.push(SeedFailure { seed: seed.clone(), cause }),
            }
        }
    }
    (through, failed)
}

/// Some seeds side by side, in their order.
async fn try_some(member: &Inner, seeds: &[String]) -> Vec<Tried> {
    let mut tasks = JoinSet::new();
    for (at, seed) in seeds.iter().enumerate() {
        let (transport, protocol) = (member.transport.clone(), member.protocol.clone());
        let (seed, policy) = (seed.clone(), member.join);
        tasks.spawn(async move { (at, try_one(&transport, &protocol, &seed, &policy, |_| false).await) });
    }
    let mut tried: Vec<(usize, Tried)> = tasks.join_all().await;
    tried.sort_unstable_by_key(|(at, _)| *at);
    tried.into_iter().map(|(_, tried)| tried).collect()
}

/// One attempt at a seed. The addresses that are `with_us` already are not contacted.
pub(crate) async fn try_one(
    transport: &Transport,
    protocol: &SwimProtocol,
    seed: &str,
    policy: &JoinPolicy,
    with_us: impl Fn(SocketAddr) -> bool,
) -> Tried {
    let addresses = match resolve(seed, policy.seed_timeout).await {
        Ok(addresses) => addresses,
        Err(cause) => return Tried::Failed(cause),
    };
    let mut cause = None;
    for addr in addresses {
        if with_us(addr) {
            continue;
        }
        // All members may be given the same seeds. A dial to our own address would look as if our
        // certificate were in use twice.
        let listen = transport.local_addr().socket();
        if is_ours(addr, listen, transport.advertised_addr().socket()) {
            return Tried::Ourselves(addr);
        }
        if addr.is_ipv4() != listen.is_ipv4() && !listen.ip().is_unspecified() {
            cause = Some(SeedError::Family { seed: addr, listen });
            continue;
        }
        let id = match transport.identify(addr, policy.seed_timeout).await {
            Ok(id) => id,
            Err(error) => {
                cause = Some(error.into());
                continue;
            }
        };
        match protocol.join(&Peer::new(id.clone(), addr.into())).await {
            Ok(_) => return Tried::Joined(id, addr),
            Err(error) => cause = Some(error.into()),
        }
    }
    cause.map_or(Tried::WithUs, Tried::Failed)
}

/// Whether `addr` leads to us, who listen at one address and advertise another or the same.
fn is_ours(addr: SocketAddr, listen: SocketAddr, advertised: SocketAddr) -> bool {
    addr == listen
        || addr == advertised
        || (addr.port() == listen.port() && listen.ip().is_unspecified() && is_of_this_machine(addr))
}

/// Whether `addr` is one of this machine's. Then, and only then, the system sends to it from the
/// same address. It would be no proof that a socket can be bound there: some machines allow that
/// for any address (`ip_nonlocal_bind`).
fn is_of_this_machine(addr: SocketAddr) -> bool {
    let any = match addr.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // To connect such a socket sends nothing.
    let source = std::net::UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(addr)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == addr.ip())
}

async fn resolve(seed: &str, limit: Duration) -> Result<Vec<SocketAddr>, SeedError> {
    let found = tokio::time::timeout(limit, tokio::net::lookup_host(seed)).await;
    let addresses: Vec<_> = match found {
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect(),
        Ok(Err(error)) => return Err(SeedError::Resolve { cause: error.to_string() }),
        Err(_) => return Err(SeedError::ResolveTimeout { after: limit }),
    };
    if addresses.is_empty() {
        return Err(SeedError::Resolve { cause: "the name has no address".to_owned() });
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        let is_local = |addr: &str| is_of_this_machine(addr.parse().unwrap());
        assert!(is_local("127.0.0.1:7946"));
        // Addresses for documentation: no machine has them.
        assert!(!is_local("192.0.2.1:7946") && !is_local("[2001:db8::1]:7946"));
    }

    #[test]
    fn an_address_is_ours_if_we_listen_there_or_tell_others_so() {
        let ours = |addr: &str, listen: &str, advertised: &str| {
            is_ours(addr.parse().unwrap(), listen.parse().unwrap(), advertised.parse().unwrap())
        };
        let (listen, advertised) = ("192.0.2.1:1", "192.0.2.2:2");
        assert!(ours(listen, listen, advertised) && ours(advertised, listen, advertised));
        assert!(!ours("192.0.2.3:1", listen, advertised));
        assert!(!ours("127.0.0.1:1", listen, advertised), "we listen at one address of this machine only");
        let any = "0.0.0.0:1";
        assert!(ours("127.0.0.1:1", any, advertised));
        assert!(!ours("127.0.0.1:2", any, advertised), "another program has that port");
        assert!(!ours("192.0.2.3:1", any, advertised), "another machine has that address");
    }
}
