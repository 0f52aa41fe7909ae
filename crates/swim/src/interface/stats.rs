//! What the machine has counted, to see from outside how it fares. Counters only rise; gauges say what is now.

/// The machine's counters and gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SwimStats {
    /// Direct probes begun.
    pub probes: u64,
    /// Probes answered in time, directly.
    pub acks: u64,
    /// Probes answered in time only through a helper: the path from us to the member was at fault.
    pub indirect_acks: u64,
    /// Probes that nobody answered.
    pub probes_failed: u64,
    /// Probes that a limit of our own prevented or voided.
    pub probes_void: u64,
    /// Answers that came after their probe had ended.
    pub late_replies: u64,
    /// Indirect probes that we made for others.
    pub relays: u64,
    /// Indirect probes that we declined because too many were under way.
    pub relays_refused: u64,
    /// Checks of ports begun.
    pub port_checks: u64,
    /// Checks of ports that were not begun because too many were under way.
    pub port_checks_refused: u64,
    /// Times that neither a silent member nor any witness answered us: we were cut off or overloaded, and said nothing.
    pub unheard: u64,
    /// Pauses of our own that voided what we were about to judge.
    pub pauses: u64,
    /// Times that we began to be late with what we had to do, and judged nobody until that was over.
    pub times_late: u64,
    /// Probes without an answer of members whose process acknowledged our packets meanwhile: they live, and are late.
    pub probes_late: u64,
    /// Periodic comparisons, and contacts of failed ones, that waited for the next time because we were late.
    pub comparisons_postponed: u64,
    /// Periodic comparisons with a random member instead of a neighbour ([`Mode::Verified`](crate::Mode::Verified)): each may cost a
    /// connection.
    pub comparisons_far: u64,
    /// Times that our own driver could take no more messages, so that what was due waited.
    pub congestions: u64,
    /// Suspicions that we raised ourselves.
    pub suspicions: u64,
    /// Times that a verdict was held back, because nearly half of the group was silent.
    pub verdicts_held: u64,
    /// Members that were told of as flapping.
    pub flapping: u64,
    /// Members that our own clock declared failed.
    pub failures: u64,
    /// Of these, members that most of their watchers could reach only now and then.
    pub lossy: u64,
    /// Trials, before we came back, in which too few members answered us.
    pub trials_failed: u64,
    /// Times that we were declared failed again so soon that we had to do well for a while before we came back.
    pub probations: u64,
    /// Claims about ourselves that we refuted.
    pub refutations: u64,
    /// Claims that were refused because their incarnation lies more than 24 h ahead of our wall
    /// clock: about ourselves, about other members, and in broadcasts.
    pub claims_refused: u64,
    /// Times that we contended with another process, or a former life, for our name.
    pub name_conflicts: u64,
    /// Claims about unknown members that were refused because the registry was full.
    pub registry_full: u64,
    /// Broadcasts dropped from a full queue before they had been sent as often as planned.
    pub broadcasts_dropped: u64,
    /// Messages that made no sense where they came: an answer nobody asked for, or of the wrong kind.
    pub unexpected: u64,
    /// Exchanges of views that we began and that ended well.
    pub syncs: u64,
    /// Verdicts of others that came by an exchange and were put to their subjects first.
    pub disputes: u64,
    /// Such verdicts that were left out because too many were open.
    pub disputes_full: u64,
    /// Tombstones that were removed before their time, because their member was forgotten here or
    /// elsewhere.
    pub forgotten: u64,
    /// Words that a member is forgotten, and which were ignored because it is a member here, or of
    /// a later incarnation.
    pub forgets_ignored: u64,
    /// Tombstones of which a peer told though their member was forgotten, so that it was told the
    /// word.
    pub forgets_told: u64,
    /// Words that are remembered no more, or were not noted at all, because 16,384 are remembered
    /// already.
    pub forgets_dropped: u64,
    /// Members that only an exchange spoke of and that did not answer: they were not taken in.
    pub ghosts: u64,
    /// Such members that were left out because too many waited.
    pub introductions_full: u64,
    /// Failed members that we tried to contact.
    pub heals: u64,
    /// Lifeguard's local health score: 0 is well.
    pub local_health: u32,
    /// Names that are remembered as forgotten.
    pub forgotten_names: usize,
    /// Updates that wait to be sent.
    pub queued: usize,
}
