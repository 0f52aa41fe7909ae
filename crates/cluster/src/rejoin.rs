//! Finds the group again after a partition or a restart. As long as the member runs, it contacts
//! the seeds and former members, at a bounded rate. Former members are those that the registry has
//! removed. The protocol itself contacts the failed members that the registry still holds.
//!
//! A member that is alone contacts up to [`CONTACTS_AT_ONCE`] addresses in a round. Its first
//! rounds have the delays of a join, and later rounds the interval (`heal_interval`, up to a half
//! longer or shorter at random). A member that is not alone contacts one address in each interval.
//! A contact is a join: both members exchange views, and pass on what they learn to their groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kinfolk_core::{RegistryView, Rng};
use kinfolk_gossip::SwimProtocol;
use kinfolk_transport::Transport;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::config::JoinPolicy;
use crate::contacts::{SharedContacts, Targets};
use crate::error::SeedError;
use crate::join::{self, Attempt};
use crate::task::BackgroundTask;

/// How many addresses a member that is alone contacts in one round. Each costs a handshake.
const CONTACTS_AT_ONCE: usize = 16;
/// The shortest time between two log lines about a wrong clock.
const CLOCK_WARNED_EVERY: Duration = Duration::from_mins(1);
/// After this many rounds the notes of which member answered at an address are removed. Another
/// process may have the address by then.
const OWNERS_KEPT_ROUNDS: u64 = 100;

/// The loop with all its state.
pub(crate) struct RejoinLoop {
    pub transport: Transport,
    pub protocol: SwimProtocol,
    pub registry: RegistryView,
    pub contacts: SharedContacts,
    pub policy: JoinPolicy,
    pub interval: Duration,
    pub rng: Rng,
    /// When the last log line about a wrong clock was written.
    pub clock_warned_at: Option<Instant>,
}

/// The running loop.
#[derive(Debug)]
pub(crate) struct Rejoin {
    task: BackgroundTask,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    contacts: AtomicU64,
    succeeded: AtomicU64,
}

impl Rejoin {
    pub(crate) fn start(rejoin_loop: RejoinLoop) -> Self {
        let counters = Arc::new(Counters::default());
        let counting = Arc::clone(&counters);
        let task = BackgroundTask::start(async move { rejoin_loop.run(&counting).await });
        Self { task, counters }
    }

    /// The task that runs the loop.
    pub(crate) fn task(&self) -> &BackgroundTask {
        &self.task
    }

    /// The number of contacts, and how many of them reached a member.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.counters.contacts.load(Ordering::Relaxed), self.counters.succeeded.load(Ordering::Relaxed))
    }
}

impl RejoinLoop {
    async fn run(mut self, counters: &Counters) {
        // The number of rounds that reached no member while this member was alone.
        let mut failed_rounds = 0;
        for round in 1_u64.. {
            let before = self.registry.member_count();
            let some = self.choose(is_alone(before), round);
            let tried = some.len();
            self.contact(some, counters).await;
            if round.is_multiple_of(OWNERS_KEPT_ROUNDS) {
                self.contacts.lock().clear_address_owners();
            }
            // Random, so that members that were cut off together do not contact each other in step.
            let interval = self.interval.mul_f64(0.5 + self.rng.unit());
            let failed = is_failed_round(before, tried, self.registry.member_count());
            // The delays of a join are short at first: after a restart of the whole fleet the
            // members should find each other soon.
            let wait = if failed { self.policy.delay(failed_rounds, self.rng.unit()) } else { interval };
            failed_rounds += u32::from(failed);
            sleep(wait.min(interval)).await;
        }
    }

    /// Chooses the seeds and addresses to contact in this round, in random order.
    fn choose(&mut self, alone: bool, round: u64) -> Vec<String> {
        let Targets { mut seeds, absent } = {
            let mut contacts = self.contacts.lock();
            // The snapshot is taken under the lock. An older view would bring back a member that
            // was forgotten meanwhile.
            let view = self.registry.snapshot();
            contacts.note(&view);
            contacts.targets(&view)
        };
        let mut absent: Vec<String> = absent.iter().map(ToString::to_string).collect();
        self.rng.shuffle(&mut seeds);
        self.rng.shuffle(&mut absent);
        if alone {
            // At most half are seeds, so that many seeds do not crowd out the former members.
            seeds.truncate(CONTACTS_AT_ONCE / 2);
            absent.truncate(CONTACTS_AT_ONCE - seeds.len());
            seeds.append(&mut absent);
            return seeds;
        }
        // Seeds and former members take turns, so that many of the one do not crowd out the other.
        let (first, second) = if round.is_multiple_of(2) { (seeds, absent) } else { (absent, seeds) };
        first.into_iter().chain(second).take(1).collect()
    }

    /// Warns that the clocks differ, because only a person can correct a clock. Other causes are
    /// only debug lines: they may pass by themselves.
    fn warn_of_clock(&mut self, seed: &str, cause: &SeedError) {
        let now = Instant::now();
        if self.clock_warned_at.is_none_or(|last| now - last >= CLOCK_WARNED_EVERY) {
            self.clock_warned_at = Some(now);
            // The clock of this host or of the group is wrong by more than 24 h. At most one line a
            // minute. What to do: compare the two clocks in `cause`, and correct the wrong one.
            tracing::warn!(
                contact = %seed, %cause,
                "cannot rejoin: the two clocks differ too much; correct the wrong clock"
            );
        }
    }

    async fn contact(&mut self, some: Vec<String>, counters: &Counters) {
        let mut tasks = JoinSet::new();
        for seed in some {
            let (transport, protocol, policy) = (self.transport.clone(), self.protocol.clone(), self.policy);
            let (contacts, registry) = (Arc::clone(&self.contacts), self.registry.clone());
            tasks.spawn(async move {
                let is_of_member = |addr| contacts.lock().is_of_member(&registry.snapshot(), addr);
                let attempt = join::try_one(&transport, &protocol, &seed, &policy, is_of_member).await;
                (seed, attempt)
            });
        }
        for (seed, attempt) in tasks.join_all().await {
            // No handshake, so it does not count as a contact.
            if attempt == Attempt::CurrentMember {
                continue;
            }
            counters.contacts.fetch_add(1, Ordering::Relaxed);
            match attempt {
                Attempt::Joined(node, addr) => {
                    counters.succeeded.fetch_add(1, Ordering::Relaxed);
                    // This member found a member of its group again, or its address led to one that
                    // it knows already. What to do: nothing.
                    tracing::info!(%node, %addr, "exchanged views with a member at a remembered address");
                    self.contacts.lock().note_address_owner(addr, node);
                }
                Attempt::Ourselves(addr) => {
                    self.contacts.lock().note_address_owner(addr, self.protocol.id().clone());
                }
                Attempt::Failed(cause) if cause.is_clock() => self.warn_of_clock(&seed, &cause),
                // No member answered at a seed or a former member's address. The loop tries it
                // again.
                // What to do: nothing. If this member stays alone, check `cause`.
                Attempt::Failed(cause) => {
                    tracing::debug!(contact = %seed, %cause, "no member answered at a remembered address");
                }
                Attempt::CurrentMember => {}
            }
        }
    }
}

/// Whether this member is the only one. The count is 0 after a shutdown.
fn is_alone(members: usize) -> bool {
    members <= 1
}

/// Whether a round contacted at least one address, and this member was alone before and after it.
/// Then the next round comes soon.
fn is_failed_round(before: usize, tried: usize, after: usize) -> bool {
    is_alone(before) && tried > 0 && is_alone(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_fails_only_if_member_stays_alone() {
        assert!(is_failed_round(1, 1, 1) && is_failed_round(1, 16, 1));
        assert!(is_failed_round(0, 1, 0), "the registry is empty after a shutdown");
        assert!(!is_failed_round(1, 0, 1), "there is no address to contact");
        assert!(!is_failed_round(1, 1, 2), "a member was reached");
        assert!(!is_failed_round(2, 1, 2) && !is_failed_round(2, 1, 1), "the member was not alone");
    }
}
