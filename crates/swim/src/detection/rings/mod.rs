//! Watching in `Mode::Verified`: each subject is probed once in a cycle, and what its silence leads to.
//!
//! ```text
//!                    Ack                              heard from it, by whatever way
//!         ┌──────────────────────┐          ┌──────────────────────────────────────────────┐
//!         v                      │          │                                              │
//!      watched ── probe ──> no answer in time ──> silent ── witnesses ──┬─ an ack ─────────┤  the path is at fault
//!                                                   ^                   ├─ no answer ──┐   │  we are the sick one
//!                                                   └───────────────────│──────────────┘   │
//!                                                                       ├─ a nack ──> accused ── tolerated_pause ──> last
//!                                                                       │                          check, by witnesses
//!                                                                       └─ a nack, port closed ──> failed <──┘
//! ```
//!
//! Who watches whom follows from the names alone (`places.rs`). Probes are in `probe.rs`, the questions to witnesses in
//! `witnesses.rs`, the accusation and the verdict in `verdict.rs`, what is done where many are silent in `mass_failure.rs`,
//! and what is known of one subject in `subject.rs`, with its states in `standing.rs`.

mod loss_rate;
mod mass_failure;
mod pause;
mod places;
mod probe;
mod probe_phase;
mod round_trip;
mod standing;
mod subject;
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
use places::{ALL_WATCH_ALL, Places};
use probe_phase::ProbePhase;
use subjects::Subjects;
pub(crate) use witnesses::WitnessAnswer;

/// How many members are watched beside those of the rings. Of more, the next exchange brings the rest.
const BESIDE_MAX: usize = 64;

/// Whom we watch, who watches us, and what that has shown.
#[derive(Debug)]
pub(crate) struct Rings {
    pub(super) subjects: Subjects,
    pub(super) partition: Partition,
    /// In a box, as all that is large and seldom looked at.
    places: Box<Places>,
    /// Who watches us, and when.
    phase: ProbePhase,
    mass: MassFailure,
    rounds_made: u64,
    /// When the last pause of our own ended.
    pause_ended: Instant,
    /// Members that a peer does not know, until they have answered us once: nobody else may be watching them.
    beside: BTreeSet<NodeId>,
}

impl Rings {
    /// The rings of a group in which there is nobody but us.
    pub(super) fn new(cx: &Context) -> Self {
        Self {
            subjects: Subjects::default(),
            partition: Partition::new(cx),
            places: Places::new(&cx.me).into(),
            phase: ProbePhase::default(),
            mass: MassFailure::new(cx.now),
            rounds_made: 0,
            pause_ended: Instant::ORIGIN,
            beside: BTreeSet::new(),
        }
    }

    /// Begins with those that are members already.
    pub(super) fn begin(&mut self, cx: &mut Context) {
        cx.roster.ids().iter().for_each(|id| self.places.insert(id));
        self.rewatch(cx);
    }

    /// Somebody has become a member, or is none any more; the roster knows it already.
    pub(super) fn came_or_went(&mut self, cx: &mut Context, id: &NodeId, is_member: bool) {
        if is_member {
            self.places.insert(id);
        } else {
            self.places.remove(id, cx.roster.ids().iter());
        }
        self.rewatch(cx);
    }

    /// Who watches whom may have changed.
    fn rewatch(&mut self, cx: &mut Context) {
        let (subjects, watchers) = if cx.roster.len() < ALL_WATCH_ALL {
            let mut all = cx.roster.ids().to_vec();
            all.sort_unstable();
            (all.clone(), all)
        } else {
            let (mut subjects, mut watchers) = (self.places.subjects(), self.places.watchers());
            let (more_subjects, more_watchers) = self.mass.more_neighbours(cx, &self.subjects);
            subjects.extend(more_subjects);
            self.beside.retain(|id| cx.members.member(id).is_some());
            subjects.extend(self.beside.iter().cloned());
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

    /// Watches some members beside those of the rings, until they have answered once.
    pub(crate) fn watch_beside(&mut self, cx: &mut Context, ids: Vec<NodeId>) {
        let before = self.beside.len();
        for id in ids {
            if self.beside.len() < BESIDE_MAX && !self.subjects.contains(&id) {
                self.beside.insert(id);
            }
        }
        if self.beside.len() > before {
            self.rewatch(cx);
        }
    }

    /// With whom we exchange news at once: our subjects and our watchers, each once.
    pub(super) fn neighbours(&self) -> Vec<NodeId> {
        let mut all: Vec<_> = self.subjects.ids().chain(self.phase.watchers()).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A message has come from somebody.
    pub(crate) fn heard(&mut self, cx: &Context) {
        self.mass.heard(cx.now);
    }

    /// A member probes us: by how many milliseconds it should come later, or earlier, next time.
    pub(super) fn probed_by(&mut self, cx: &Context, watcher: &NodeId) -> i16 {
        self.phase.probed(watcher, cycle(cx), cx.now)
    }

    /// A subject has answered whether its view differs from ours. Returns whether views are to be compared.
    pub(crate) fn view_differs(&mut self, cx: &Context, id: &NodeId, differs: bool) -> bool {
        self.subjects.view_differs(cx, id, differs)
    }
}

/// How long it takes until each subject has been probed once: one each interval.
fn cycle(cx: &Context) -> Duration {
    let subjects = cx.roster.len().clamp(1, RINGS);
    cx.config.probe_interval * u32::try_from(subjects).unwrap_or(u32::MAX)
}

/// Who watches a subject of ours, ourselves included.
fn watchers_of(cx: &Context, id: &NodeId) -> Vec<NodeId> {
    let others = cx.roster.ids();
    if others.len() < ALL_WATCH_ALL {
        return others.iter().filter(|other| *other != id).chain([&cx.me]).cloned().collect();
    }
    places::watchers_of(id, others.iter().chain([&cx.me]))
}

/// Notes what we have found out about a subject; with `once` only if that is not what was noted last.
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
