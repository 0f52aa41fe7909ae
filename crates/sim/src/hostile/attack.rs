//! An attack under way: the liars, what they have heard, and what they send next.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_core::{Incarnation, Instant, NodeId, NodeStatus, Rng};
use kinfolk_swim::{Message, Update};

use super::forge::{CHARGES, Forger, aimed};
use super::rings::entitled_of;
use super::strategy::{Form, Incarnations, Strategy};
use super::victims::Victims;
use crate::node::NodeIndex;
use crate::world::World;

/// How often a liar decides what to send.
const TICK: Duration = Duration::from_millis(10);
/// In a larger group, a liar speaks about this many members at a time, and to this many. It has not
/// the bandwidth for more, and the others pass on what counts.
const SUBJECTS_MAX: usize = 31;
const RECEIVERS_MAX: usize = 31;
/// How many signed items go into one message.
const PACKED: usize = 10;
/// How many accusations of honest members a liar keeps.
const KEPT_MAX: usize = 64;
/// A kept testimony is used so long after the pause of its subject began.
const USED_AFTER: Duration = Duration::from_secs(8);
/// The time limit of the requests to witnesses.
const WITHIN_MS: u32 = 100;

/// An attack under way.
#[derive(Debug)]
pub struct Attack {
    strategy: Strategy,
    liars: Vec<Forger>,
    /// The members that do not lie.
    honest: Vec<NodeIndex>,
    begin: Instant,
    rng: Rng,
    victims: Victims,
    /// The silence from which on an accusation counts for a failure.
    grave: Duration,
    /// Whom the liars can accuse so that it counts, first. Then the others.
    subjects: Vec<NodeIndex>,
    bursts: usize,
    /// The accusations of honest members, and when each was heard.
    kept: Vec<(Duration, Accusation)>,
}

impl Attack {
    /// An attack of these members of the world that begins now. All others are honest.
    pub fn begin(
        world: &mut World,
        nodes: usize,
        strategy: Strategy,
        liars: &[NodeIndex],
        seed: u64,
    ) -> Self {
        let mut rng = Rng::from_seed(seed);
        let forgers: Vec<Forger> = liars.iter().filter_map(|liar| forger(world, *liar)).collect();
        for liar in liars {
            let me = forger(world, *liar);
            world.corrupt(
                *liar,
                Box::new(move |view, asked| {
                    let Message::PingReq { target, .. } = asked else { return None };
                    let known = view.get(target).filter(|_| strategy == Strategy::FalseWitness)?;
                    let accusation = me.as_ref()?.accuse(target, known.incarnation, Charge::PortClosed);
                    Some(Message::Nack { closed: true, lossy: true, accusation: Some(accusation) })
                }),
            );
        }
        let honest: Vec<_> = (0..nodes).map(NodeIndex).filter(|node| !liars.contains(node)).collect();
        let grave = world.grave_silence();
        let victims = Victims::of(strategy, &honest, world.now(), grave, &mut rng);
        let mut subjects = honest.clone();
        rng.shuffle(&mut subjects);
        let counts = |subject: &NodeIndex| {
            let entitled = entitled_of(*subject, nodes);
            liars.iter().any(|liar| entitled.contains(liar))
        };
        subjects.sort_by_cached_key(|subject| !counts(subject));
        Self {
            strategy,
            liars: forgers,
            honest,
            begin: world.now(),
            rng,
            victims,
            grave,
            subjects,
            bursts: 0,
            kept: Vec::new(),
        }
    }

    /// Runs the world with the attack for this time. Calls `watch` every half second.
    pub fn run(&mut self, world: &mut World, lasts: Duration, mut watch: impl FnMut(&mut World, &Self)) {
        let mut after = Duration::ZERO;
        while after < lasts && world.broken().is_none() {
            self.victims.act(world, after);
            self.listen(world, after);
            if self.strategy.is_due(after) {
                self.attack(world, after);
                self.bursts += 1;
            }
            if matches!(self.strategy, Strategy::KeptTestimony | Strategy::KeptTestimonyLoss) {
                self.ask_witnesses(world, after);
            }
            after += TICK;
            world.run_until(self.begin + after);
            if after.as_millis().is_multiple_of(500) {
                watch(world, self);
            }
        }
    }

    /// The members that do not lie.
    pub fn honest(&self) -> &[NodeIndex] {
        &self.honest
    }

    /// Whether this member may be missing in other views, because of a fault that the attack needs.
    pub fn is_excused(&self, now: Instant, node: NodeIndex) -> bool {
        self.victims.is_excused(now, node)
    }

    /// How many accusations of honest members the liars have kept.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// How many of these are grave, so that they count for a failure.
    pub fn kept_grave(&self) -> usize {
        let is_grave = |charge: Charge| match charge {
            Charge::Silent { for_ms } => u128::from(for_ms) >= self.grave.as_millis(),
            Charge::PortClosed | Charge::Lossy => true,
        };
        self.kept.iter().filter(|(_, accusation)| is_grave(accusation.charge)).count()
    }

    fn listen(&mut self, world: &mut World, after: Duration) {
        let mut heard = Vec::new();
        for liar in &self.liars {
            heard.extend(NodeIndex::of(&liar.me.id).map(|node| world.take_heard(node)));
        }
        for accusation in heard.into_iter().flatten() {
            let is_honest = !self.liars.iter().any(|liar| liar.me.id == accusation.accuser);
            let is_new = !self.kept.iter().any(|(_, known)| *known == accusation);
            if is_honest && is_new && self.kept.len() < KEPT_MAX {
                self.kept.push((after, accusation));
            }
        }
    }

    fn attack(&mut self, world: &mut World, after: Duration) {
        match self.strategy {
            Strategy::Condemn(form, _) => self.condemn(world, form),
            Strategy::Suspect => {
                let others: Vec<NodeId> = self.honest.iter().take(4).map(|node| node.id()).collect();
                let known = self.known_subjects(world);
                let claims: Vec<Update> =
                    known.iter().map(|(_, known)| Forger::suspect(known, &others)).collect();
                self.spread(world, &claims);
            }
            Strategy::ReplayRefuted | Strategy::ReplayRestarted => {
                let kept = self.kept.iter().map(|(_, accusation)| Update::Accusation(accusation.clone()));
                let mut all: Vec<Update> = kept.collect();
                all.extend(self.own_accusations(world, &self.victims.all.clone()));
                self.spread(world, &all);
            }
            Strategy::FalseWitness => {
                let subjects: Vec<_> = self.subjects.iter().copied().take(4).collect();
                let own = self.own_accusations(world, &subjects);
                self.spread(world, &own);
            }
            Strategy::KeptTestimony | Strategy::KeptTestimonyLoss => self.use_testimony(world, after),
            Strategy::Forge => self.forge(world),
            Strategy::ForgetAtJoin => {
                let known = self.known_subjects(world);
                let updates: Vec<Update> = known.iter().map(|(_, known)| Forger::forget(known)).collect();
                if let Some(newcomer) = self.victims.all.first().copied() {
                    self.send(world, newcomer, &updates);
                }
            }
        }
    }

    fn condemn(&mut self, world: &mut World, form: Form) {
        let charge = CHARGES[self.bursts % CHARGES.len()];
        let (mut valid, mut forged) = (Vec::new(), Vec::new());
        for (number, (subject, known)) in self.known_subjects(world).into_iter().enumerate() {
            // A later accusation of another incarnation replaces the earlier one. So a liar keeps
            // to one for each subject.
            let of = number + usize::from(form != Form::Accusation) * self.bursts;
            let at = Incarnations::of(of);
            let other = self.honest[(number + 1) % self.honest.len()].id();
            let incarnation = aimed(known.incarnation, at);
            for liar in &self.liars {
                match form {
                    Form::Claim => {
                        let [failed, left] = Forger::condemn(&known, at, &other);
                        let is_valid = at == Incarnations::Equal;
                        if is_valid {
                            valid.push(failed);
                        } else {
                            forged.push((subject, failed));
                        }
                        forged.push((subject, left));
                    }
                    Form::Accusation => {
                        let accusation = liar.accuse(&known.id, incarnation, charge);
                        valid.push(Update::Accusation(accusation));
                    }
                    Form::InventedAccuser if other == known.id => {}
                    Form::InventedAccuser => {
                        let accusation = liar.accuse_as(&other, &known.id, incarnation, charge);
                        forged.push((subject, Update::Accusation(accusation)));
                    }
                }
            }
        }
        self.spread(world, &valid);
        self.spread_forged(world, forged);
    }

    fn forge(&mut self, world: &mut World) {
        let known = self.known_subjects(world);
        // Forget updates with true statements verify, so they reach the machines.
        let forgets: Vec<Update> = known.iter().map(|(_, known)| Forger::forget(known)).collect();
        self.spread(world, &forgets);
        let Some(liar) = self.liars.first().cloned() else { return };
        let forged = |(subject, known): &(NodeIndex, Arc<NodeStatus>)| {
            let subject = *subject;
            liar.forge(known).into_iter().map(move |update| (subject, update)).collect::<Vec<_>>()
        };
        let forged = known.iter().take(4).flat_map(forged).collect();
        self.spread_forged(world, forged);
    }

    /// Asks the watchers of a paused victim to probe it, in the last second of its pause.
    fn ask_witnesses(&self, world: &mut World, after: Duration) {
        let in_cycle = Duration::from_millis((after.as_millis() % 15_000) as u64);
        let is_due = in_cycle >= Duration::from_secs(2) && in_cycle < Duration::from_millis(2_900);
        let victim = self.victims.all.get((after.as_secs() / 15) as usize);
        let Some(victim) = victim.filter(|_| is_due && after.as_millis().is_multiple_of(100)) else { return };
        let id = victim.id();
        let Some(liar) = self.liars.first().and_then(|liar| NodeIndex::of(&liar.me.id)) else { return };
        let watchers: Vec<_> =
            self.honest.iter().copied().filter(|node| world.subjects(*node).contains(&id)).collect();
        for watcher in watchers {
            let (target, gossip) = (id.clone(), Vec::new());
            let asked =
                Message::PingReq { target, within_ms: WITHIN_MS, nack: true, check_port: false, gossip };
            world.inject_request(liar, watcher, asked);
        }
    }

    /// Sends what honest members said of a victim during its pause, and the same of this liar.
    fn use_testimony(&mut self, world: &mut World, after: Duration) {
        let mut all = Vec::new();
        let mut accused: BTreeMap<NodeId, Incarnation> = BTreeMap::new();
        for (heard, accusation) in &self.kept {
            if after >= *heard + USED_AFTER {
                all.push(Update::Accusation(accusation.clone()));
                accused.insert(accusation.subject.clone(), accusation.incarnation);
            }
        }
        for (subject, incarnation) in accused {
            for liar in &self.liars {
                all.push(Update::Accusation(liar.accuse(&subject, incarnation, Charge::PortClosed)));
            }
        }
        self.spread(world, &all);
    }

    fn own_accusations(&self, world: &World, subjects: &[NodeIndex]) -> Vec<Update> {
        let charge = CHARGES[self.bursts % CHARGES.len()];
        let mut all = Vec::new();
        for liar in &self.liars {
            let view = NodeIndex::of(&liar.me.id).and_then(|node| world.registry(node));
            let known = subjects.iter().filter_map(|subject| view?.get(&subject.id()));
            let own = known.map(|known| liar.accuse(&known.id, known.incarnation, charge));
            all.extend(own.map(Update::Accusation));
        }
        all
    }

    /// The members that the liar speaks about now, as it knows them.
    fn known_subjects(&self, world: &World) -> Vec<(NodeIndex, Arc<NodeStatus>)> {
        let liar = self.liars.first().and_then(|liar| NodeIndex::of(&liar.me.id));
        let Some(view) = liar.and_then(|liar| world.registry(liar)) else { return Vec::new() };
        let some = self.subjects.iter().take(SUBJECTS_MAX);
        some.filter_map(|subject| Some((*subject, view.get(&subject.id())?))).collect()
    }

    /// Sends updates that verify to all honest members, or to some of a large group.
    fn spread(&mut self, world: &mut World, updates: &[Update]) {
        let mut receivers = self.honest.clone();
        self.rng.shuffle(&mut receivers);
        receivers.truncate(RECEIVERS_MAX);
        for to in receivers {
            self.send(world, to, updates);
        }
    }

    fn send(&self, world: &mut World, to: NodeIndex, updates: &[Update]) {
        let Some(from) = self.liars.first().and_then(|liar| NodeIndex::of(&liar.me.id)) else { return };
        for some in updates.chunks(PACKED) {
            world.inject(from, to, Message::Gossip { gossip: some.to_vec() });
        }
    }

    /// Sends updates that do not verify, each in a message of its own, to their subject and to two
    /// others: each receiver refuses the whole message.
    fn spread_forged(&mut self, world: &mut World, updates: Vec<(NodeIndex, Update)>) {
        for (subject, update) in updates {
            let others = [(); 2].map(|()| self.honest[self.rng.below(self.honest.len())]);
            for to in [subject, others[0], others[1]] {
                self.send(world, to, slice::from_ref(&update));
            }
        }
    }
}

/// The key of a member that lies, and what it states of itself; `None` if it does not run.
pub(super) fn forger(world: &World, liar: NodeIndex) -> Option<Forger> {
    let me = world.registry(liar)?.get(&liar.id())?;
    Some(Forger { key: world.key(liar), me })
}
