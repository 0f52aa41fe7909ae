//! Finding the group again: the seeds, and the members of old whom the registry has forgotten, are contacted at a bounded
//! rate for as long as we run. Those that the registry knows to have failed are contacted by the protocol itself.
//!
//! While we are alone, up to [`AT_ONCE`] are contacted side by side: at first after the waits of a join, then at each
//! interval (`heal_interval`, half as much longer or shorter at random). Among others, one at each interval. A contact is
//! a join: whoever answers with a certificate of this cluster exchanges views with us, and both sides tell their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kinfolk_core::{RegistryView, Rng};
use kinfolk_gossip::SwimProtocol;
use kinfolk_transport::Transport;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::config::JoinPolicy;
use crate::contacts::{SharedContacts, Sought};
use crate::error::SeedError;
use crate::join::{self, Tried};
use crate::task::Background;

/// How many are contacted side by side while we are alone.
const AT_ONCE: usize = 16;
/// How often a wrong clock is logged.
const CLOCK_WARNED_EVERY: Duration = Duration::from_mins(1);
/// After so many rounds all addresses are asked again whose they are.
const ROUNDS_TRUSTED: u64 = 100;

/// What the loop works with.
pub(crate) struct Seeker {
    pub transport: Transport,
    pub protocol: SwimProtocol,
    pub registry: RegistryView,
    pub contacts: SharedContacts,
    pub policy: JoinPolicy,
    pub interval: Duration,
    pub rng: Rng,
    /// When it was last logged that our clock or that of the group is wrong.
    pub clock_warned_at: Option<Instant>,
}

/// The running loop.
#[derive(Debug)]
pub(crate) struct Reunion {
    task: Background,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    contacts: AtomicU64,
    met: AtomicU64,
}

impl Reunion {
    pub(crate) fn start(seeker: Seeker) -> Self {
        let counters = Arc::new(Counters::default());
        let counting = Arc::clone(&counters);
        let task = Background::start(async move { seeker.seek(&counting).await });
        Self { task, counters }
    }

    /// The loop itself.
    pub(crate) fn task(&self) -> &Background {
        &self.task
    }

    /// How many contacts were tried, and how many of them led to somebody.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.counters.contacts.load(Ordering::Relaxed), self.counters.met.load(Ordering::Relaxed))
    }
}

impl Seeker {
    async fn seek(mut self, counters: &Counters) {
        // How often nobody was met while we were alone.
        let mut in_vain = 0;
        for round in 1_u64.. {
            let before = self.registry.member_count();
            let some = self.choose(is_alone(before), round);
            let tried = some.len();
            self.contact(some, counters).await;
            if round.is_multiple_of(ROUNDS_TRUSTED) {
                self.contacts.lock().forget_reached();
            }
            let interval = self.interval.mul_f64(0.5 + self.rng.unit());
            let hurried = is_in_vain(before, tried, self.registry.member_count());
            let wait = if hurried { self.policy.delay(in_vain, self.rng.unit()) } else { interval };
            in_vain += u32::from(hurried);
            sleep(wait.min(interval)).await;
        }
    }

    /// Whom to contact in this round, seeds and addresses, in random order.
    fn choose(&mut self, alone: bool, round: u64) -> Vec<String> {
        let Sought { mut seeds, absent } = {
            let mut contacts = self.contacts.lock();
            // Taken under the lock: an older view would bring back a member that was forgotten
            // meanwhile.
            let view = self.registry.snapshot();
            contacts.note(&view);
            contacts.sought(&view)
        };
        let mut absent: Vec<String> = absent.iter().map(ToString::to_string).collect();
        self.rng.shuffle(&mut seeds);
        self.rng.shuffle(&mut absent);
        if alone {
            seeds.truncate(AT_ONCE / 2);
            absent.truncate(AT_ONCE - seeds.len());
            seeds.append(&mut absent);
            return seeds;
        }
        // In turn, so that many of the one do not crowd out the other.
        let (first, second) = if round.is_multiple_of(2) { (seeds, absent) } else { (absent, seeds) };
        first.into_iter().chain(second).take(1).collect()
    }

    /// Only a person can set a clock right.
    fn warn_of_clock(&mut self, seed: &str, cause: &SeedError) {
        let now = Instant::now();
        if self.clock_warned_at.is_none_or(|last| now - last >= CLOCK_WARNED_EVERY) {
            self.clock_warned_at = Some(now);
            tracing::warn!(contact = %seed, %cause, "cannot rejoin");
        }
    }

    async fn contact(&mut self, some: Vec<String>, counters: &Counters) {
        let mut tasks = JoinSet::new();
        for seed in some {
            let (transport, protocol, policy) = (self.transport.clone(), self.protocol.clone(), self.policy);
            let (contacts, registry) = (Arc::clone(&self.contacts), self.registry.clone());
            tasks.spawn(async move {
                let with_us = |addr| contacts.lock().is_with_us(&registry.snapshot(), addr);
                let tried = join::try_one(&transport, &protocol, &seed, &policy, with_us).await;
                (seed, tried)
            });
        }
        for (seed, tried) in tasks.join_all().await {
            if tried == Tried::WithUs {
                continue;
            }
            counters.contacts.fetch_add(1, Ordering::Relaxed);
            match tried {
                Tried::Joined(node, addr) => {
                    counters.met.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(%node, %addr, "exchanged views with a member at a remembered address");
                    self.contacts.lock().reached(addr, node);
                }
                Tried::Ourselves(addr) => self.contacts.lock().reached(addr, self.protocol.id().clone()),
                Tried::Failed(cause) if cause.is_clock() => self.warn_of_clock(&seed, &cause),
                Tried::Failed(cause) => tracing::debug!(contact = %seed, %cause, "nobody was found there"),
                Tried::WithUs => {}
            }
        }
    }
}

/// Whether so many members are nobody but us.
fn is_alone(members: usize) -> bool {
    members <= 1
}

/// Whether a round has tried somebody and left us as alone as we were. Then the next one comes soon.
fn is_in_vain(before: usize, tried: usize, after: usize) -> bool {
    is_alone(before) && tried > 0 && is_alone(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_round_that_tries_somebody_and_leaves_us_alone_is_in_vain() {
        assert!(is_in_vain(1, 1, 1) && is_in_vain(1, 16, 1));
        assert!(is_in_vain(0, 1, 0), "the registry is empty after a shutdown");
        assert!(!is_in_vain(1, 0, 1), "there is nobody to try");
        assert!(!is_in_vain(1, 1, 2), "somebody is met");
        assert!(!is_in_vain(2, 1, 2) && !is_in_vain(2, 1, 1), "we were not alone");
    }
}
