//! The seeds of the joins, as the application wrote them. A name in a seed is resolved again at
//! each contact.

/// How many seeds are kept. Of more, the seeds that were given last are kept.
pub(super) const SEEDS_MAX: usize = 64;
/// The length in bytes up to which a seed is kept. A DNS name of 253 characters, a colon, and a
/// port of 5 digits have 259.
const SEED_LEN_MAX: usize = 260;

#[derive(Debug)]
pub(super) struct Seeds {
    list: Vec<String>,
    /// Whether `list` comes from the previous instance.
    inherited: bool,
    /// How many joins are under way.
    joins: usize,
}

impl Seeds {
    pub(super) fn from_previous_instance(seeds: &[String]) -> Self {
        Self { list: seeds.to_vec(), inherited: true, joins: 0 }
    }

    /// Adds seeds. The first seeds of an instance replace those of the previous
    /// instance: an operator who changes the seeds no longer wants the old ones.
    pub(super) fn add(&mut self, seeds: &[String]) {
        if std::mem::take(&mut self.inherited) {
            self.list.clear();
        }
        self.list.retain(|seed| !seeds.contains(seed));
        self.list.extend(seeds.iter().filter(|seed| seed.len() <= SEED_LEN_MAX).cloned());
        let surplus = self.list.len().saturating_sub(SEEDS_MAX);
        self.list.drain(..surplus);
    }

    /// Replaces all seeds.
    pub(super) fn replace(&mut self, seeds: &[String]) {
        self.inherited = false;
        self.list.clear();
        self.add(seeds);
    }

    /// Notes that a join begins. The join contacts its seeds itself.
    pub(super) fn join_begins(&mut self) {
        self.joins += 1;
    }

    pub(super) fn join_ends(&mut self) {
        self.joins -= 1;
    }

    /// The seeds to contact outside of a join. Empty while a join is under way, because two
    /// contacts of one seed at once would cost two handshakes.
    pub(super) fn targets(&self) -> &[String] {
        if self.joins > 0 { &[] } else { &self.list }
    }

    /// All seeds. Those that were given last are at the end.
    pub(super) fn all(&self) -> &[String] {
        &self.list
    }
}
