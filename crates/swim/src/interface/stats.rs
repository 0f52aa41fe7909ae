//! The machine's counters and gauges. Counters only rise. A gauge has its present value.

use kinfolk_core::Reason;

use super::round_trips::RoundTrips;

/// The machine's counters and gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SwimStats {
    /// Direct probes started.
    pub probes: u64,
    /// Probes answered in time, directly.
    pub acks: u64,
    /// Probes answered in time only through a helper: the fault is in the path from this member to
    /// the target.
    pub indirect_acks: u64,
    /// Probes without any answer, direct or indirect.
    pub probes_failed: u64,
    /// Probes that were not sent, or do not count, because of a limit or a pause of this member.
    pub probes_void: u64,
    /// How long the direct answers took, as the detector measures it: from the probe to its answer,
    /// with the time in this member's own queues. With [`Mode::Verified`](crate::Mode::Verified)
    /// late answers count too.
    pub round_trips: RoundTrips,
    /// Answers that came after their probe had ended.
    pub late_replies: u64,
    /// Indirect probes that this member made for others.
    pub relays: u64,
    /// Indirect probes for others that this member declined: too many ran already, or it did not
    /// know the target.
    pub relays_refused: u64,
    /// Port checks started.
    pub port_checks: u64,
    /// Port checks that were not started because too many ran already.
    pub port_checks_refused: u64,
    /// Times that neither a silent member nor any witness answered. This member was isolated or
    /// overloaded, so it accused no member.
    pub isolated: u64,
    /// Accusations of other members that this member has heard of, each once.
    pub accusations: u64,
    /// Of these: their subject refuted them.
    pub accusations_refuted: u64,
    /// Claims that a member is suspect or failed without enough accusations. They changed nothing.
    pub claims_unproved: u64,
    /// Claims against this member without proof that it did not answer, because it had answered
    /// their accusers a moment before.
    pub unproved_unanswered: u64,
    /// Members whose accusations do not count at the moment.
    pub distrusted: usize,
    /// Pauses of this member that voided its open probes and verdicts.
    pub pauses: u64,
    /// Times that this member became late with its timers and messages. It judges no member until
    /// that ends.
    pub times_late: u64,
    /// Probes without an answer whose target acknowledged packets meanwhile. The target's process
    /// runs, and is late.
    pub probes_late: u64,
    /// Anti-entropy rounds, and contacts of failed members, that this member skipped because it was
    /// late.
    pub anti_entropy_postponed: u64,
    /// Anti-entropy rounds with a random member in place of a neighbour
    /// ([`Mode::Verified`](crate::Mode::Verified)). Each may cost a connection.
    pub anti_entropy_random: u64,
    /// Times of back-pressure: the driver took no more messages, and due timers waited.
    pub back_pressures: u64,
    /// What happened to the other members in the view of this one, by its own findings and those of
    /// others.
    pub changes: ViewChanges,
    /// Suspicions that this member raised by its own evidence.
    pub suspicions: u64,
    /// Times that a verdict was held back, because a large part of the group was silent or because
    /// this member was late.
    pub verdicts_held: u64,
    /// Members that were reported as flapping.
    pub flapping: u64,
    /// Members that this member itself declared failed.
    pub failures: u64,
    /// Among these, members that most of their watchers could reach only now and then.
    pub lossy: u64,
    /// Return checks in which too few members answered. This member does not refute its failure
    /// before one passes.
    pub return_checks_failed: u64,
    /// Times that this member was declared failed again so soon after its return that it went on
    /// probation.
    pub probations: u64,
    /// Claims about this member that it refuted.
    pub refutations: u64,
    /// Claims that were refused because their incarnation is more than 24 h ahead of the wall
    /// clock: about this member, about other members, and in broadcasts.
    pub claims_refused: u64,
    /// Times that the wall clock went ahead by 1 s or more between two readings, beyond the time
    /// that passed. So it does when an operator corrects it, or when a suspended machine continues.
    pub clock_jumps_ahead: u64,
    /// Times that the wall clock went back by 1 s or more between two readings.
    pub clock_jumps_back: u64,
    /// Times that another process, or a former instance, claimed this member's name.
    pub name_conflicts: u64,
    /// Claims about unknown members that were refused because the registry was full.
    pub registry_full: u64,
    /// Broadcasts that a full queue dropped before they were sent as often as planned.
    pub broadcasts_dropped: u64,
    /// Messages that were not expected: an answer without a request, an answer of the wrong kind,
    /// or a request without a way to answer it. Also results of unknown port checks.
    pub unexpected: u64,
    /// Exchanges of views that this member started and that ended without an error.
    pub syncs: u64,
    /// Verdicts of other members that came by an exchange of views. Their subjects are asked first.
    pub old_verdicts: u64,
    /// Such verdicts that were dropped because too many were open.
    pub old_verdicts_dropped: u64,
    /// Tombstones that were removed early because their member was forgotten here or elsewhere.
    pub forgotten: u64,
    /// Forget updates that were ignored because the named member is alive or suspect here, or has a
    /// higher incarnation.
    pub forgets_ignored: u64,
    /// Forget updates sent to a peer because it still had the tombstone of a forgotten member.
    pub forgets_repeated: u64,
    /// Forgotten names that are not remembered any more, or never were, because 16,384 are
    /// remembered already.
    pub forgets_dropped: u64,
    /// Revocations that were new here.
    pub revocations: u64,
    /// Members that were removed from the view because their certificate is revoked.
    pub evicted: u64,
    /// Revocations that found no room, because 4,096 are kept already.
    pub revocations_full: u64,
    /// Members that only an exchange of views reported, and that did not answer. They did not enter
    /// the view.
    pub introductions_failed: u64,
    /// Such members that were dropped because too many waited for their answer.
    pub introductions_full: u64,
    /// Failed members that this member tried to contact.
    pub heals: u64,
    /// Whether other members declared this one failed, as far as it knows, and it has not refuted
    /// that yet.
    pub declared_failed: bool,
    /// Lifeguard's local health score. 0 is healthy.
    pub local_health: u32,
    /// Revocations that are kept.
    pub revocations_kept: usize,
    /// Names that are remembered as forgotten.
    pub forgotten_names: usize,
    /// Updates that wait to be sent.
    pub queued: usize,
}

/// The changes of the other members in the view of one member. Each counts the event of the same
/// name, also while the member flaps and its events are not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViewChanges {
    /// Members that joined, or returned after a failure or a leave.
    pub joined: u64,
    /// Members that became suspect.
    pub suspected: u64,
    /// Suspect members that became alive: they refuted the suspicion, or it was lifted.
    pub recovered: u64,
    /// Members that failed, by the reason that this member knows. The index is
    /// [`Reason::index`].
    pub failed: [u64; Reason::NAMES.len()],
    /// Members that left on purpose.
    pub left: u64,
}
