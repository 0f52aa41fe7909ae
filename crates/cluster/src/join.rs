//! Joins the group. Dials each seed to learn its name, and exchanges views with the seeds that
//! answer.

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

/// How many addresses of one name are tried. It bounds the time that a seed with many addresses
/// takes: each may take the whole `seed_timeout`.
const ADDRESSES_MAX: usize = 4;
/// How many seeds are tried at a time. Each costs a handshake.
const SEEDS_AT_ONCE: usize = 16;

/// The result of a join.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinReport {
    /// The number of members that this member then knows, itself included.
    pub members: usize,
    /// The names of the seeds that let this member join. Empty if this member is its only seed.
    pub through: Vec<NodeId>,
    /// The other seeds, each with its cause. They cause a warning, and do not fail the join.
    pub failed: Vec<SeedFailure>,
}

/// This many attempts are logged, each with a line. Later attempts have at most one line a minute,
/// because a join may go on forever.
const LOGGED_ATTEMPTS: u32 = 10;
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// The outcome of one attempt at one seed.
#[derive(Debug, PartialEq)]
pub(crate) enum Attempt {
    /// Joined through this member, at this address.
    Joined(NodeId, SocketAddr),
    /// The address is that of this member itself.
    Ourselves(SocketAddr),
    /// Not contacted, because a current member has the address.
    CurrentMember,
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
        // A leave or a shutdown ends the join. Otherwise a join with attempts without end would
        // never return.
        let Some((through, failed)) = tried.filter(|_| !has_left(member)) else {
            return Err(JoinError { attempts: attempt, seeds: last, stopped: true });
        };
        if !through.is_empty() || failed.is_empty() {
            for failure in &failed {
                // The join succeeded through another seed. What to do: follow `cause`, or remove
                // the seed from the list.
                tracing::warn!(
                    seed = %failure.seed, cause = %failure.cause,
                    "cannot join through this seed; joined through others"
                );
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
            // An attempt failed at all seeds; `seeds` names each with its cause. The next attempt
            // is in `next_in_ms`. What to do: follow the causes. If the seeds are still to start,
            // nothing.
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

/// Whether this member has left, or was shut down: a shutdown clears the registry.
fn has_left(member: &Inner) -> bool {
    member.registry.get(member.protocol.id()).is_none_or(|mine| mine.state == NodeState::Left)
}

/// Tries each seed once. Returns the members that this member joined through, and the failed seeds,
/// both in the order given.
async fn try_all(member: &Inner, seeds: &[String]) -> (Vec<NodeId>, Vec<SeedFailure>) {
    let (mut through, mut failed) = (Vec::new(), Vec::new());
    for some in seeds.chunks(SEEDS_AT_ONCE) {
        for (seed, attempt) in some.iter().zip(try_some(member, some).await) {
            match attempt {
                // Two seeds may be names of the same member.
                Attempt::Joined(node, _) if !through.contains(&node) => through.push(node),
                Attempt::Joined(..) | Attempt::Ourselves(_) | Attempt::CurrentMember => {}
                Attempt::Failed(cause) => failed.push(SeedFailure { seed: seed.clone(), cause }),
            }
        }
    }
    (through, failed)
}

/// Tries some seeds at the same time. Returns the outcomes in the order of the seeds.
async fn try_some(member: &Inner, seeds: &[String]) -> Vec<Attempt> {
    let mut tasks = JoinSet::new();
    for (at, seed) in seeds.iter().enumerate() {
        let (transport, protocol) = (member.transport.clone(), member.protocol.clone());
        let (seed, policy) = (seed.clone(), member.join);
        tasks.spawn(async move { (at, try_one(&transport, &protocol, &seed, &policy, |_| false).await) });
    }
    let mut tried: Vec<(usize, Attempt)> = tasks.join_all().await;
    tried.sort_unstable_by_key(|(at, _)| *at);
    tried.into_iter().map(|(_, attempt)| attempt).collect()
}

/// Tries one seed. Skips each address for which `is_of_member` returns true: a contact with a
/// current member would find nothing new.
pub(crate) async fn try_one(
    transport: &Transport,
    protocol: &SwimProtocol,
    seed: &str,
    policy: &JoinPolicy,
    is_of_member: impl Fn(SocketAddr) -> bool,
) -> Attempt {
    let addresses = match resolve(seed, policy.seed_timeout).await {
        Ok(addresses) => addresses,
        Err(cause) => return Attempt::Failed(cause),
    };
    let mut cause = None;
    for addr in addresses {
        if is_of_member(addr) {
            continue;
        }
        // All members may have the same list of seeds. A dial to our own address would look as if
        // two processes used our certificate.
        let listen = transport.local_addr().socket();
        if is_ours(addr, listen, transport.advertised_addr().socket()) {
            return Attempt::Ourselves(addr);
        }
        // Without this check the dial would end as "no answer", which hides the cause. Unspecified
        // addresses are exempt: `[::]` may serve both families.
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
            Ok(_) => return Attempt::Joined(id, addr),
            Err(error) => cause = Some(error.into()),
        }
    }
    // No cause means that each address was skipped. `resolve` returns at least one address.
    cause.map_or(Attempt::CurrentMember, Attempt::Failed)
}

/// Whether `addr` is an address of this member, by the addresses that it listens on and advertises.
fn is_ours(addr: SocketAddr, listen: SocketAddr, advertised: SocketAddr) -> bool {
    addr == listen
        || addr == advertised
        || (addr.port() == listen.port() && listen.ip().is_unspecified() && is_of_this_machine(addr))
}

/// Whether `addr` is an address of this machine. Only then does the system choose the same address
/// as the source of packets to it. A successful bind would prove nothing: some machines allow a
/// bind to any address (`ip_nonlocal_bind`).
fn is_of_this_machine(addr: SocketAddr) -> bool {
    let any = match addr.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // `connect` on a UDP socket sends nothing.
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
    fn addresses_of_other_machines_are_not_local() {
        let is_local = |addr: &str| is_of_this_machine(addr.parse().unwrap());
        assert!(is_local("127.0.0.1:7946"));
        // Addresses reserved for documentation: no machine has them.
        assert!(!is_local("192.0.2.1:7946") && !is_local("[2001:db8::1]:7946"));
    }

    #[test]
    fn listen_and_advertised_addresses_are_ours() {
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
