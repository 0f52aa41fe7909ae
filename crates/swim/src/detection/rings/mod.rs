//! Detection in `Mode::Verified`: each subject is probed once a cycle, and its silence leads to a
//! verdict.
//!
//! ```text
//!   watched    the subject answers its probes
//!      │ a probe times out
//!      v
//!   silent     its port is checked, and witnesses probe it
//!      │         an ack of a witness ─────────> watched: the path of this member is at fault
//!      │         no answer from witnesses ────> silent: this member is isolated or overloaded
//!      │         a nack, and a closed port ───> failed
//!      │ a nack
//!      v
//!   accused    suspect; after tolerated_pause, witnesses probe it a last time
//!      │ a nack, and no ack
//!      v
//!   failed
//! ```
//!
//! Any answer of the subject, on any path, leads back to `watched`.
//!
//! The names alone determine who watches whom (`places.rs`). The other files are:
//!
//! - `probe.rs`: the probes, and `probe_phase.rs`: how a subject spreads the probes of its watchers
//! - `witnesses.rs`: the requests to witnesses
//! - `verdict.rs`: the accusation and the verdict
//! - `mass_failure.rs`: what happens if many members are silent
//! - `subject.rs`: what is known of one subject, with its states in `subject_state.rs`

mod loss_rate;
mod mass_failure;
mod pause;
mod places;
mod probe;
mod probe_phase;
mod round_trip;
mod subject;
mod subject_state;
mod subjects;
mod verdict;
mod witnesses;

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Cause, Instant, NodeId, Reason};
use kinfolk_detector::Finding;

use super::partition::Partition;
use crate::context::Context;
use crate::fact::Fact;
use crate::interface::config::RINGS;
use mass_failure::MassFailure;
pub use places::entitled_accusers;
use places::{ALL_WATCH_ALL, Places};
use probe_phase::ProbePhase;
use subjects::Subjects;
pub(crate) use witnesses::WitnessAnswer;

/// The number of extra subjects beyond those of the rings. The next exchange of views brings
/// members that found no room.
const EXTRA_SUBJECTS_MAX: usize = 64;

/// In a group of so many others each member has as many watchers as a failure needs accusers. In a
/// larger one the four rings nearly always give that, and to find out costs O(N) for each change.
const FEW: usize = 64;

/// The subjects and watchers of this member, and what its probes have shown.
#[derive(Debug)]
pub(crate) struct Rings {
    pub(super) subjects: Subjects,
    pub(super) partition: Partition,
    /// Boxed, because it is large and seldom read.
    places: Box<Places>,
    /// The watchers of this member, and when each probes it.
    phase: ProbePhase,
    mass: MassFailure,
    rounds_made: u64,
    /// When the last pause of this member ended.
    pause_ended: Instant,
    /// Members that a peer does not know, until they answer a probe. Possibly no other member
    /// watches them.
    extra: BTreeSet<NodeId>,
}

impl Rings {
    /// The rings of a group in which this member is alone.
    pub(super) fn new(cx: &Context) -> Self {
        Self {
            subjects: Subjects::default(),
            partition: Partition::new(cx),
            places: Places::new(&cx.me).into(),
            phase: ProbePhase::default(),
            mass: MassFailure::new(cx.now),
            rounds_made: 0,
            pause_ended: Instant::ORIGIN,
            extra: BTreeSet::new(),
        }
    }

    /// Starts with the members that the view holds already.
    pub(super) fn begin(&mut self, cx: &mut Context) {
        cx.roster.ids().iter().for_each(|id| self.places.insert(id));
        self.update_neighbours(cx);
    }

    /// A node became a member, or is no member any more. The roster is up to date already.
    pub(super) fn membership_changed(&mut self, cx: &mut Context, id: &NodeId, is_member: bool) {
        if is_member {
            self.places.insert(id);
        } else {
            self.places.remove(id, cx.roster.ids().iter());
        }
        self.update_neighbours(cx);
    }

    /// Determines subjects and watchers again.
    fn update_neighbours(&mut self, cx: &mut Context) {
        let (subjects, watchers) = if cx.roster.len() < ALL_WATCH_ALL {
            let mut all = cx.roster.ids().to_vec();
            all.sort_unstable();
            (all.clone(), all)
        } else {
            let (mut subjects, mut watchers) = (self.places.subjects(), self.places.watchers());
            if cx.roster.len() <= FEW {
                // A subject may have fewer watchers than a failure needs accusers.
                let (ids, least) = (cx.roster.ids(), cx.config.accusers_required);
                subjects.extend(places::subjects_of(&cx.me, ids.iter(), ids.iter(), least));
                watchers.extend(places::watchers_of(&cx.me, ids.iter(), least));
            }
            let (more_subjects, more_watchers) = self.mass.more_neighbours(cx, &self.subjects);
            subjects.extend(more_subjects);
            self.extra.retain(|id| cx.members.member(id).is_some());
            subjects.extend(self.extra.iter().cloned());
            watchers.extend(more_watchers);
            for ids in [&mut subjects, &mut watchers] {
                ids.sort_unstable();
                ids.dedup();
            }
            (subjects, watchers)
        };
        self.phase.watched_by(watchers);
        self.subjects.watch(cx, subjects);
    }

    /// Watches some members beyond those of the rings, until they answer a probe.
    pub(crate) fn watch_extra(&mut self, cx: &mut Context, ids: Vec<NodeId>) {
        let before = self.extra.len();
        for id in ids {
            if self.extra.len() < EXTRA_SUBJECTS_MAX && !self.subjects.contains(&id) {
                self.extra.insert(id);
            }
        }
        if self.extra.len() > before {
            self.update_neighbours(cx);
        }
    }

    /// Subjects and watchers, each once: gossip updates go to them at once.
    pub(super) fn neighbours(&self) -> Vec<NodeId> {
        let mut all: Vec<_> = self.subjects.ids().chain(self.phase.watchers()).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// This member received a message.
    pub(crate) fn message_arrived(&mut self, cx: &Context) {
        self.mass.heard(cx.now);
    }

    /// A watcher probes this member. Returns by how many milliseconds its next probe should come
    /// later, or, if negative, earlier.
    pub(super) fn probed_by(&mut self, cx: &Context, watcher: &NodeId) -> i16 {
        self.phase.probed(watcher, cycle(cx), cx.now)
    }

    /// A subject answered, and said whether the two views differ. Returns whether to start an
    /// anti-entropy round with it.
    pub(crate) fn view_differs(&mut self, cx: &Context, id: &NodeId, differs: bool) -> bool {
        self.subjects.view_differs(cx, id, differs)
    }
}

/// The time in which each subject is probed once: one subject each interval.
fn cycle(cx: &Context) -> Duration {
    let subjects = cx.roster.len().clamp(1, RINGS);
    cx.config.probe_interval * u32::try_from(subjects).unwrap_or(u32::MAX)
}

/// The watchers of a subject, with this member among them.
fn watchers_of(cx: &Context, id: &NodeId) -> Vec<NodeId> {
    let others = cx.roster.ids();
    if others.len() < ALL_WATCH_ALL {
        return others.iter().filter(|other| *other != id).chain([&cx.me]).cloned().collect();
    }
    let least = if others.len() <= FEW { cx.config.accusers_required } else { 1 };
    places::watchers_of(id, others.iter().chain([&cx.me]), least)
}

/// Whether `accuser` may watch `subject`, by the view of this member with room for views that
/// differ a little. `gone` are members that may be dead: they do not stand between the two.
pub(crate) fn may_watch(cx: &Context, accuser: &NodeId, subject: &NodeId, gone: &BTreeSet<&NodeId>) -> bool {
    let others = cx.roster.ids();
    others.len() < ALL_WATCH_ALL
        || places::may_watch(accuser, subject, others.iter().chain([&cx.me]).filter(|id| !gone.contains(id)))
}

/// Records a finding about a subject. With `once`, only if the last finding was another one.
fn note(
    cx: &mut Context,
    subjects: &Subjects,
    id: &NodeId,
    (finding, reason): (Finding, Reason),
    once: bool,
) {
    let cause = Cause::by(cx.me.clone(), reason);
    let evidence = subjects.evidence(cx, id, finding, cause).into();
    cx.fact(Fact::Found { id: id.clone(), evidence, once });
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::Alive;

    use super::*;
    use crate::interface::config::SwimConfig;

    #[test]
    fn up_to_five_members_are_all_watchers() {
        for (names, all_watch) in [(&["a", "b", "c", "d"][..], true), (&["a", "b", "c", "d", "e"], false)] {
            let others: Vec<_> = names.iter().map(|name| (*name, Alive)).collect();
            let cx = Context::of_others(SwimConfig::verified(), &others);
            for subject in names {
                let subject = NodeId::new(subject).unwrap();
                let watchers: BTreeSet<_> = watchers_of(&cx, &subject).into_iter().collect();
                assert!(!watchers.contains(&subject));
                assert_eq!(watchers.len() == names.len(), all_watch, "{subject}: {watchers:?}");
            }
        }
    }
}
