//! Signed accusations (`Mode::Verified`): who accuses which member, and whether that proves a
//! failure. One liar must not evict a member, so a failure that others claim needs several accusers
//! that may watch the member.
//!
//! ```text
//!   an accusation ──> kept, while its subject has not refuted it
//!        │
//!        └─> of entitled and trusted accusers ──┬─ one ────────────> the subject is suspect
//!                                               └─ several, grave ──> the subject has failed
//!   the subject refutes ──> record.rs: each accuser has accused falsely, once more
//! ```
//!
//! This module does not know who watches which member: its caller says who is entitled. The papers'
//! modes do not use it. There every claim is believed, as in the papers.

mod record;
mod strangers;
#[cfg(test)]
mod tests;
mod weight;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_core::{Incarnation, Instant, NodeId, NodeState, NodeStatus};

use crate::context::Context;
pub(crate) use record::AccuserRecord;
use record::Records;
use strangers::Strangers;
use weight::Weight;

/// How many accusations of one member are kept: one of each accuser. At most 4 are needed.
const PER_SUBJECT_MAX: usize = 8;
/// How many members have accusations at a time, tombstones included. One more replaces the one that
/// was accused first. If it is still silent, its watchers accuse it again.
const SUBJECTS_MAX: usize = 4_096;
/// An instance starts with the milliseconds of its clock as its incarnation, and refutations raise
/// it by one. So an incarnation this much higher is that of a new instance.
const NEW_INSTANCE_AFTER: Duration = Duration::from_secs(1);
/// How many accusers a failure needs at least if some of them reach the subject now and then. One
/// bad path makes a member lossy for one honest watcher. Most of its watchers must agree, as in
/// this member's own verdict.
const LOSSY_NEEDED: usize = 3;
/// How many accused members are weighed again after one change of the view.
const WEIGHED_AT_ONCE: usize = 8;
/// How many accusations of one statement are passed on: as many as a failure may need.
pub(crate) const SENT_MAX: usize = 4;

/// The accusations that this member knows.
#[derive(Debug)]
pub(crate) struct Accusations {
    /// How long a member may stall without being declared failed.
    tolerated_pause: Duration,
    of: BTreeMap<NodeId, Accused>,
    /// Those of them that are unknown here.
    strangers: Strangers,
    /// Counts the subjects, so that the oldest can be found.
    numbers: u64,
    records: Records,
    /// The accused members that are to be weighed again.
    due: BTreeSet<NodeId>,
    /// The members that returned from a failure, with the incarnation that had failed. What they
    /// accused before proves nothing: they may have been on the other side of a partition.
    returned: BTreeMap<NodeId, Incarnation>,
    /// The accused member that became due last.
    weighed_last: Option<NodeId>,
    /// The subjects that this member accused as a witness, with their incarnation. A subject that
    /// answers again must raise it, so that the accusation cannot be used later.
    untold: BTreeMap<NodeId, Incarnation>,
}

/// The accusations of one member: one of each accuser, its latest. They may be about different
/// incarnations, so that an accusation of a future one does not push out the others.
#[derive(Debug)]
struct Accused {
    number: u64,
    accusations: Vec<Kept>,
}

impl Accused {
    fn of(&self, accuser: &NodeId) -> Option<&Accusation> {
        self.accusations.iter().map(|kept| &kept.accusation).find(|known| known.accuser == *accuser)
    }
}

/// An accusation, and whether this member has passed it on.
#[derive(Debug)]
struct Kept {
    accusation: Accusation,
    passed_on: bool,
    /// Whether it was about the known statement of its subject when it came.
    held: bool,
    /// Whether the accuser was entitled in this generation of the view.
    entitled: Option<(u64, bool)>,
}

impl Kept {
    /// Whether it is about the statement of this incarnation, and its accuser was entitled when it
    /// was last weighed.
    fn may_count(&self, present: Option<Incarnation>) -> bool {
        Some(self.accusation.incarnation) == present && self.entitled.is_none_or(|(_, may)| may)
    }
}

/// What a refutation means for the accusers.
#[derive(Debug, Default)]
pub(crate) struct Refuted {
    /// How many accusations were refuted.
    pub(crate) count: u64,
    /// The accusers whose accusations do not count from now on.
    pub(crate) distrusted: Vec<NodeId>,
}

/// What the accusations of a member prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proved {
    /// Nothing: no entitled and trusted member accuses it.
    Nothing,
    /// It is suspect.
    Suspicion,
    /// It has failed.
    Failure,
}

impl Accusations {
    pub(crate) fn new(tolerated_pause: Duration) -> Self {
        Self {
            tolerated_pause,
            of: BTreeMap::new(),
            strangers: Strangers::default(),
            numbers: 0,
            records: Records::default(),
            due: BTreeSet::new(),
            returned: BTreeMap::new(),
            weighed_last: None,
            untold: BTreeMap::new(),
        }
    }

    /// Keeps an accusation in place of an earlier one of the same accuser, if it is about a higher
    /// incarnation or is graver. `present`: the known incarnation of its subject, if any. Returns
    /// whether it is kept.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        accusation: &Accusation,
        present: Option<Incarnation>,
    ) -> bool {
        let Accusation { subject, accuser, .. } = accusation;
        self.make_room(subject);
        let weight = self.weight(accusation.charge);
        let earlier = self.of.get(subject).and_then(|accused| accused.of(accuser));
        let is_graver = earlier.is_some_and(|known| self.weight(known.charge) < weight);
        let numbers = &mut self.numbers;
        let accused = self.of.entry(subject.clone()).or_insert_with(|| {
            *numbers += 1;
            Accused { number: *numbers, accusations: Vec::new() }
        });
        let held = Some(accusation.incarnation) == present;
        let kept = Kept { accusation: accusation.clone(), passed_on: false, held, entitled: None };
        let failed = self.returned.get(accuser);
        match accused.accusations.iter_mut().find(|known| known.accusation.accuser == *accuser) {
            Some(known) if !replaces(accusation, &known.accusation, is_graver, failed) => return false,
            Some(known) => {
                let is_other = known.accusation.incarnation != accusation.incarnation;
                *known = kept;
                if is_other {
                    self.records.accused(now, accuser);
                }
            }
            None => {
                if accused.accusations.len() >= PER_SUBJECT_MAX {
                    // Else some members could keep the accusations of all others out, and hide a
                    // crash.
                    let is_present = Some(accusation.incarnation) == present;
                    let records = &self.records;
                    let idle = |kept: &Kept| {
                        !kept.may_count(present) || records.is_distrusted(now, &kept.accusation.accuser)
                    };
                    let Some(idle) = accused.accusations.iter().position(idle).filter(|_| is_present) else {
                        return false;
                    };
                    accused.accusations.remove(idle);
                }
                accused.accusations.push(kept);
                self.records.accused(now, accuser);
                if present.is_none()
                    && let Some((accuser, subject)) = self.strangers.add(accuser, subject)
                {
                    self.drop_one(&accuser, &subject);
                }
            }
        }
        true
    }

    /// Drops one accusation of a member that is unknown here.
    fn drop_one(&mut self, accuser: &NodeId, subject: &NodeId) {
        if let Some(accused) = self.of.get_mut(subject) {
            accused.accusations.retain(|kept| kept.accusation.accuser != *accuser);
            if accused.accusations.is_empty() {
                self.of.remove(subject);
            }
        }
    }

    fn make_room(&mut self, subject: &NodeId) {
        if self.of.len() >= SUBJECTS_MAX && !self.of.contains_key(subject) {
            let oldest = self.of.iter().min_by_key(|(_, accused)| accused.number).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                self.of.remove(&oldest);
                self.strangers.remove(&oldest);
            }
        }
    }

    /// The accusations against this statement.
    fn against(&self, id: &NodeId, incarnation: Incarnation) -> impl Iterator<Item = &Accusation> {
        let kept = self.of.get(id).into_iter().flat_map(|accused| &accused.accusations);
        kept.map(|kept| &kept.accusation).filter(move |accusation| accusation.incarnation == incarnation)
    }

    /// The accusers of this statement, in the order in which this member heard of them.
    pub(crate) fn accusers(&self, id: &NodeId, incarnation: Incarnation) -> Vec<NodeId> {
        self.against(id, incarnation).map(|accusation| accusation.accuser.clone()).collect()
    }

    /// The accusations that go with a claim about this statement: the gravest first.
    pub(crate) fn proof_of(&self, status: &NodeStatus) -> Vec<Accusation> {
        let mut all: Vec<Accusation> = self.against(&status.id, status.incarnation).cloned().collect();
        all.sort_by_key(|accusation| std::cmp::Reverse(self.weight(accusation.charge)));
        all.truncate(SENT_MAX);
        all
    }

    /// What the accusations of this statement prove. `is_entitled` says who may watch the subject,
    /// and `needed` is how many a failure needs.
    pub(crate) fn prove(
        &self,
        (now, id, incarnation): (Instant, &NodeId, Incarnation),
        is_entitled: impl Fn(&NodeId) -> bool,
        needed: usize,
    ) -> Proved {
        let counts =
            |accusation: &&Accusation| self.counts(now, accusation) && is_entitled(&accusation.accuser);
        let counting = self.against(id, incarnation).filter(counts);
        let weights: Vec<Weight> = counting.map(|accusation| self.weight(accusation.charge)).collect();
        let number = |least| weights.iter().filter(|weight| **weight >= least).count();
        // Witnesses alone prove nothing: they testify before the tolerated pause is over.
        let is_verdict = weights.iter().any(|weight| matches!(weight, Weight::Full | Weight::Lossy));
        let enough = number(Weight::Grave) >= needed || number(Weight::Lossy) >= needed.max(LOSSY_NEEDED);
        if is_verdict && enough {
            Proved::Failure
        } else if weights.is_empty() {
            Proved::Nothing
        } else {
            Proved::Suspicion
        }
    }

    fn weight(&self, charge: Charge) -> Weight {
        Weight::of(charge, self.tolerated_pause)
    }

    /// Whether an accusation counts, if its accuser is entitled.
    fn counts(&self, now: Instant, accusation: &Accusation) -> bool {
        let Accusation { accuser, accuser_incarnation, .. } = accusation;
        !is_from_before(*accuser_incarnation, self.returned.get(accuser))
            && !self.records.is_distrusted(now, accuser)
    }

    /// A member has returned. This incarnation of it had failed.
    pub(crate) fn returned(&mut self, id: &NodeId, failed: Incarnation) {
        if self.returned.len() >= SUBJECTS_MAX {
            self.returned.pop_first();
        }
        self.returned.insert(id.clone(), failed);
    }

    /// The accusers of this statement for which `is_entitled` holds. Asks it once for each
    /// accuser, and again when `generation` changes: it costs time for each member of the group.
    pub(crate) fn entitled(
        &mut self,
        (id, incarnation): (&NodeId, Incarnation),
        generation: u64,
        is_entitled: impl Fn(&NodeId) -> bool,
    ) -> Vec<NodeId> {
        let Some(accused) = self.of.get_mut(id) else { return Vec::new() };
        let present =
            accused.accusations.iter_mut().filter(|kept| kept.accusation.incarnation == incarnation);
        let mut entitled = Vec::new();
        for kept in present {
            let accuser = &kept.accusation.accuser;
            let known = kept.entitled.filter(|(at, _)| *at == generation);
            let (_, may) = *kept.entitled.insert(known.unwrap_or_else(|| (generation, is_entitled(accuser))));
            if may {
                entitled.push(accuser.clone());
            }
        }
        entitled
    }

    /// Takes the accusations of this statement that were not passed on yet, of entitled and
    /// trusted accusers. At most [`SENT_MAX`] of a statement are passed on, and slight ones only if
    /// none was before: a suspicion needs no more. What does not count takes no place of what does.
    pub(crate) fn take_fresh(
        &mut self,
        (now, id, incarnation): (Instant, &NodeId, Incarnation),
        is_entitled: impl Fn(&NodeId) -> bool,
    ) -> Vec<Accusation> {
        let counting: Vec<NodeId> = self
            .against(id, incarnation)
            .filter(|accusation| self.counts(now, accusation) && is_entitled(&accusation.accuser))
            .map(|accusation| accusation.accuser.clone())
            .collect();
        let pause = self.tolerated_pause;
        let Some(accused) = self.of.get_mut(id) else { return Vec::new() };
        let counts = |kept: &&mut Kept| {
            kept.accusation.incarnation == incarnation && counting.contains(&kept.accusation.accuser)
        };
        let counting: Vec<&mut Kept> = accused.accusations.iter_mut().filter(counts).collect();
        let is_slight = |kept: &Kept| Weight::of(kept.accusation.charge, pause) == Weight::Slight;
        let mut any = counting.iter().any(|kept| kept.passed_on);
        let mut grave = counting.iter().filter(|kept| kept.passed_on && !is_slight(kept)).count();
        let mut fresh = Vec::new();
        for kept in counting.into_iter().filter(|kept| !kept.passed_on) {
            let may_pass = if is_slight(kept) { !any } else { grave < SENT_MAX };
            if may_pass {
                kept.passed_on = true;
                any = true;
                grave += usize::from(!is_slight(kept));
                fresh.push(kept.accusation.clone());
            }
        }
        fresh
    }

    /// The view has changed in this member. Its accusations are weighed again: the statement that
    /// they are about may have arrived. So are those of a few other members: other accusers may be
    /// entitled now.
    pub(crate) fn view_changed(&mut self, id: &NodeId) {
        if self.of.is_empty() {
            return;
        }
        if self.of.contains_key(id) {
            self.strangers.remove(id);
            self.due.insert(id.clone());
        }
        let after = self.weighed_last.take();
        let rest = self.of.keys().filter(|id| Some(*id) > after.as_ref());
        let some: Vec<NodeId> = rest.take(WEIGHED_AT_ONCE).cloned().collect();
        self.weighed_last = some.last().filter(|_| some.len() == WEIGHED_AT_ONCE).cloned();
        self.due.extend(some);
    }

    /// The next member whose accusations are to be weighed again.
    pub(crate) fn next_due(&mut self) -> Option<NodeId> {
        self.due.pop_first()
    }

    /// The members other than `id` that are accused and suspect: they may be dead, so they do not
    /// stand between a member and its watcher.
    pub(crate) fn suspects(&self, cx: &Context, id: &NodeId) -> BTreeSet<NodeId> {
        let is_suspect = |other: &&NodeId| {
            *other != id && cx.members.get(other).is_some_and(|node| node.state == NodeState::Suspect)
        };
        self.of.keys().filter(is_suspect).cloned().collect()
    }

    /// A member has said something false in another way: it claimed without proof that this member
    /// has failed, or its message was forged. That counts as a refuted accusation of it alone.
    /// Returns whether the member is distrusted from now on.
    pub(crate) fn lied(&mut self, now: Instant, id: &NodeId) -> bool {
        self.records.refuted(now, id, 1.0)
    }

    /// Whether the accusations of this member do not count.
    pub(crate) fn distrusts(&self, now: Instant, id: &NodeId) -> bool {
        self.records.is_distrusted(now, id)
    }

    /// The number of members whose accusations do not count.
    pub(crate) fn distrusted(&self, now: Instant) -> usize {
        self.records.distrusted(now)
    }

    /// A member has stated itself with this incarnation. That refutes the accusations of earlier
    /// ones, unless a new instance of the member says it: then the former one may have crashed.
    pub(crate) fn refuted(&mut self, now: Instant, id: &NodeId, incarnation: Incarnation) -> Refuted {
        let mut refuted = Refuted::default();
        let Some(accused) = self.of.get_mut(id) else { return refuted };
        let records = &mut self.records;
        // The entitled accusers of each statement. Others do not share the blame: else a liar
        // could share it with names that prove nothing.
        let mut accusers_of: BTreeMap<Incarnation, u32> = BTreeMap::new();
        for Kept { accusation, entitled, .. } in &accused.accusations {
            if entitled.is_some_and(|(_, may)| may) {
                *accusers_of.entry(accusation.incarnation).or_default() += 1;
            }
        }
        accused.accusations.retain(|Kept { accusation, held, entitled, .. }| {
            let is_earlier = accusation.incarnation < incarnation;
            if is_earlier && incarnation <= accusation.incarnation.later_by(NEW_INSTANCE_AFTER) {
                refuted.count += 1;
                // An older accusation, which somebody repeats, says nothing about its accuser. So
                // it must be about a statement that held here, when it came or when it was weighed.
                let held = *held || entitled.is_some();
                // What several members found may have been true. So the accusers of a statement
                // share the blame, and a member that stalls now and then does not discredit all
                // its watchers.
                let sharing = accusers_of.get(&accusation.incarnation).copied().unwrap_or(1);
                if held && records.refuted(now, &accusation.accuser, 1.0 / f64::from(sharing)) {
                    refuted.distrusted.push(accusation.accuser.clone());
                }
            }
            !is_earlier
        });
        if accused.accusations.is_empty() {
            self.of.remove(id);
        }
        refuted
    }

    /// A member has failed: its accusers were right.
    pub(crate) fn confirmed(&mut self, now: Instant, id: &NodeId, incarnation: Incarnation) {
        for accuser in self.accusers(id, incarnation) {
            self.records.confirmed(now, &accuser);
        }
    }

    /// A tombstone was removed, or a member left: nothing is left to prove.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.of.remove(id);
        self.strangers.remove(id);
        self.untold.remove(id);
    }

    /// This member has accused a subject as a witness.
    pub(crate) fn testified(&mut self, id: &NodeId, incarnation: Incarnation) {
        if self.untold.len() < SUBJECTS_MAX {
            self.untold.insert(id.clone(), incarnation);
        }
    }

    /// A member answers. Returns whether it must learn that this member accused its present
    /// statement. That is so until it raises its incarnation, because a notice may be lost.
    pub(crate) fn owes_notice(&mut self, id: &NodeId, incarnation: Incarnation) -> bool {
        // Mostly nothing is owed.
        let Some(accused) = self.untold.get(id) else { return false };
        let is_present = *accused == incarnation;
        if !is_present {
            self.untold.remove(id);
        }
        is_present
    }

    /// What is known of an accuser.
    pub(crate) fn record(&self, id: &NodeId) -> Option<&AccuserRecord> {
        self.records.get(id)
    }
}

/// Whether an accusation replaces one of the same accuser. `is_graver`: its charge is.
/// `failed`: the incarnation of the accuser that had failed before its return.
fn replaces(
    accusation: &Accusation,
    known: &Accusation,
    is_graver: bool,
    failed: Option<&Incarnation>,
) -> bool {
    let is_void = |accusation: &Accusation| is_from_before(accusation.accuser_incarnation, failed);
    accusation.incarnation > known.incarnation
        || accusation.incarnation == known.incarnation
            && (is_graver || is_void(known) && !is_void(accusation))
}

/// Whether the accuser stated this incarnation before it failed and returned.
fn is_from_before(accuser_incarnation: Incarnation, failed: Option<&Incarnation>) -> bool {
    failed.is_some_and(|failed| accuser_incarnation <= *failed)
}
