//! The seeds that joins were given, as the application wrote them: names that are resolved anew at each contact.

/// How many seeds are remembered; of more, those given last.
pub(super) const SEEDS_MAX: usize = 64;
/// How many bytes a seed has at the most that is remembered: the longest name, a colon and a port.
const SEED_LEN_MAX: usize = 260;

#[derive(Debug)]
pub(super) struct Seeds {
    list: Vec<String>,
    /// Whether `list` is that of the former life.
    inherited: bool,
    /// How many joins are under way.
    joins: usize,
}

impl Seeds {
    pub(super) fn inherited(seeds: &[String]) -> Self {
        Self { list: seeds.to_vec(), inherited: true, joins: 0 }
    }

    /// Notes some more, at least one. The first ones of a life take the place of those of the former life.
    pub(super) fn given(&mut self, seeds: &[String]) {
        if std::mem::take(&mut self.inherited) {
            self.list.clear();
        }
        self.list.retain(|seed| !seeds.contains(seed));
        self.list.extend(seeds.iter().filter(|seed| seed.len() <= SEED_LEN_MAX).cloned());
        let surplus = self.list.len().saturating_sub(SEEDS_MAX);
        self.list.drain(..surplus);
    }

    /// A join begins, which asks its seeds itself, or ends.
    pub(super) fn join_begins(&mut self) {
        self.joins += 1;
    }

    pub(super) fn join_ends(&mut self) {
        self.joins -= 1;
    }

    /// Those to be contacted beside a join: none while one is under way. To ask a seed twice at once would cost two handshakes.
    pub(super) fn sought(&self) -> &[String] {
        if self.joins > 0 { &[] } else { &self.list }
    }

    /// All, those given last at the end.
    pub(super) fn all(&self) -> &[String] {
        &self.list
    }
}
