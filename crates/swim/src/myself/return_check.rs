//! The return after a declared failure (`Mode::Verified`). A live member could refute with one
//! claim. But if it can hardly be reached, the group would declare it failed again and again. So
//! before it refutes, this member checks whether it reaches others (docs/decisions/0011).
//!
//! ```text
//!   declared failed ──> trial: 8 probes of neighbours ──┬─ 7 answers, for long enough ──> refute
//!                         ^                             ├─ 7 answers ──> next trial in 5 s
//!                         └──── 1 s, doubled to 60 s ───┴─ fewer
//! ```
//!
//! *Long enough* is zero at first: after a stall or a partition a member is back one round trip
//! after it is heard again. A member that is declared failed again within `return_probation` of its
//! return must pass all trials for that long.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId, Tags};

use super::Myself;
use crate::context::Context;
use crate::fact::Fact;
use crate::interface::input::NoReply;
use crate::interface::priority::Priority;
use crate::purpose::Purpose;
use crate::timer::{Timer, TimerKey};
use crate::wire::message::Message;

/// The number of probes in a trial. A link that loses 80 % passes with a chance of 1 in 10,000
/// (docs/detection.md).
const PROBES: u32 = 8;
/// At most this many probes of a passed trial go unanswered.
const MISSED_MAX: u32 = 1;
/// The delay after a failed trial. Meanwhile connections that did not notice the repair of the
/// network are opened again.
const RETRY_DELAY_MIN: Duration = Duration::from_secs(1);
/// The upper bound of the delay, which doubles with each failed trial.
const RETRY_DELAY_MAX: Duration = Duration::from_mins(1);
/// The delay after a passed trial, while the probation lasts.
const NEXT_TRIAL_DELAY: Duration = Duration::from_secs(5);

/// The state of the return.
#[derive(Debug, Default)]
pub(super) struct ReturnCheck {
    /// Set from a declared failure until the refutation.
    pending: Option<PendingReturn>,
    /// When this member last refuted a failure.
    returned: Option<Instant>,
    /// The number of trials so far.
    trials: u64,
    /// When a probe of this member was last answered.
    answered: Option<Instant>,
    /// When a probe was answered again, after a gap in which others may have declared this member
    /// failed.
    reached_again: Option<Instant>,
}

#[derive(Debug)]
struct PendingReturn {
    /// The highest incarnation that was declared failed.
    claimed: Incarnation,
    /// For how long all trials must pass.
    probation: Duration,
    /// Since when all trials have passed.
    passed_since: Option<Instant>,
    /// The number of failed trials in a row.
    failed_trials: u32,
    trial: Option<Trial>,
    /// The timer that ends the trial, or starts the next one.
    timer: Option<TimerKey>,
    /// Tags that were set meanwhile. To state them at once would refute without a trial.
    tags: Option<Tags>,
}

/// The trial that is under way.
#[derive(Debug, Clone, Copy)]
struct Trial {
    number: u64,
    begun: Instant,
    open: u32,
    missed: u32,
}

impl ReturnCheck {
    /// A peer answered a probe of this member.
    pub(super) fn probe_answered(&mut self, cx: &Context) {
        let tolerated = cx.config.tolerated_pause;
        if self.answered.is_some_and(|last| cx.now.since(last) > tolerated) {
            self.reached_again = Some(cx.now);
        }
        self.answered = Some(cx.now);
    }

    /// Whether a suspicion that arrives now may be older than a declared failure. If this member
    /// refuted the suspicion, it would learn of the failure later, or never, and would skip the
    /// trial. That may be so during a return, while this member reaches few others, and just after
    /// a long time without answers.
    pub(super) fn may_have_failed(&self, cx: &Context, reaches_few: bool) -> bool {
        if self.is_pending() || reaches_few {
            return true;
        }
        let longer_ago =
            |at: Option<Instant>| at.is_some_and(|at| cx.now.since(at) > cx.config.tolerated_pause);
        let again = self.reached_again;
        longer_ago(self.answered) || again.is_some() && !longer_ago(again)
    }

    /// A peer claims that this member failed, at this incarnation.
    pub(super) fn declared_failed(&mut self, cx: &mut Context, claimed: Incarnation) {
        if let Some(pending) = &mut self.pending {
            pending.claimed = pending.claimed.max(claimed);
            return;
        }
        // This member was too slow for a peer (Lifeguard, section IV-A).
        cx.health.raise(1);
        let lately = self.returned.is_some_and(|at| cx.now.since(at) < cx.config.return_probation);
        let probation = if lately { cx.config.return_probation } else { Duration::ZERO };
        cx.stats.probations += u64::from(lately);
        let (passed_since, failed_trials, trial, timer) = (None, 0, None, None);
        self.pending =
            Some(PendingReturn { claimed, probation, passed_since, failed_trials, trial, timer, tags: None });
        cx.fact(Fact::ReturnCheckWanted);
    }

    /// Keeps new tags until the return. Returns them if no return is under way.
    pub(super) fn keep_tags(&mut self, tags: Tags) -> Option<Tags> {
        match &mut self.pending {
            Some(pending) => {
                pending.tags = Some(tags);
                None
            }
            None => Some(tags),
        }
    }

    /// Whether this member was declared failed, as far as it knows, and has not refuted yet.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }
}

impl Myself {
    /// Starts a trial, or ends one whose time is over.
    pub(crate) fn return_check_due(&mut self, cx: &mut Context) {
        match self.return_check.pending.as_ref().map(|pending| pending.trial) {
            Some(None) => cx.fact(Fact::ReturnCheckWanted),
            // Probes that are still open count as missed.
            Some(Some(Trial { open, missed, begun, .. })) => self.end_trial(cx, begun, missed + open),
            None => {}
        }
    }

    /// Starts a trial: probes these neighbours.
    pub(crate) fn begin_return_check(&mut self, cx: &mut Context, neighbours: &[NodeId]) {
        let check = &mut self.return_check;
        if cx.has_left() {
            check.pending = None;
            return;
        }
        let neighbours: Vec<_> = neighbours.iter().filter_map(|id| cx.members.get(id)).collect();
        let within = cx.config.probe_timeout;
        let number = check.trials;
        check.trials += 1;
        let mut open = 0;
        for neighbour in neighbours.iter().cycle().take(PROBES as usize) {
            let ping = Message::Ping { digest: 0, gossip: Vec::new() };
            cx.ask(neighbour, ping, Purpose::ReturnCheck(number), within);
            open += 1;
        }
        let timer = cx.timers.schedule(cx.now + within, Timer::ReturnCheck);
        if let Some(pending) = &mut check.pending {
            (pending.timer, pending.trial) =
                (Some(timer), Some(Trial { number, begun: cx.now, open, missed: 0 }));
        }
        if open == 0 {
            // There is no neighbour to probe, so the trial passes.
            self.end_trial(cx, cx.now, 0);
        }
    }

    /// A probe of a trial has a result. If a limit of this member prevented it, it says nothing.
    pub(crate) fn trial_probe_ended(&mut self, cx: &mut Context, number: u64, unanswered: Option<NoReply>) {
        let Some(pending) = &mut self.return_check.pending else { return };
        let Some(trial) = pending.trial.as_mut().filter(|trial| trial.number == number) else { return };
        trial.open -= 1;
        trial.missed += u32::from(unanswered.is_some_and(|why| why != NoReply::Local));
        let Trial { open, missed, begun, .. } = *trial;
        if missed > MISSED_MAX || missed + open <= MISSED_MAX {
            self.end_trial(cx, begun, missed);
        }
    }

    fn end_trial(&mut self, cx: &mut Context, begun: Instant, missed: u32) {
        let Some(pending) = &mut self.return_check.pending else { return };
        if let Some(timer) = pending.timer.take() {
            cx.timers.cancel(timer);
        }
        pending.trial = None;
        let delay = if missed > MISSED_MAX {
            cx.stats.return_checks_failed += 1;
            pending.passed_since = None;
            pending.failed_trials += 1;
            RETRY_DELAY_MIN
                .saturating_mul(2_u32.saturating_pow(pending.failed_trials - 1))
                .min(RETRY_DELAY_MAX)
        } else {
            pending.failed_trials = 0;
            let since = *pending.passed_since.get_or_insert(begun);
            if cx.now.since(since) >= pending.probation {
                return self.refute_failure(cx);
            }
            NEXT_TRIAL_DELAY
        };
        pending.timer = Some(cx.timers.schedule(cx.now + delay, Timer::ReturnCheck));
    }

    fn refute_failure(&mut self, cx: &mut Context) {
        let Some(PendingReturn { claimed, tags, .. }) = self.return_check.pending.take() else { return };
        self.return_check.returned = Some(cx.now);
        let Some(mine) = cx.mine().filter(|_| !cx.has_left()) else { return };
        if claimed >= mine.incarnation || tags.is_some() {
            cx.stats.refutations += 1;
            self.restate(cx, claimed.max(mine.incarnation).next(), tags, Priority::Critical);
            cx.fact(Fact::Returned);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::interface::config::SwimConfig;

    /// So it is during the silence, and for `tolerated_pause` after it.
    #[test]
    fn suspicion_after_long_silence_may_follow_a_failure() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        let mut check = ReturnCheck::default();
        let tolerated = cx.config.tolerated_pause;
        let instant = Duration::from_millis(1);
        let begin = cx.now;
        let mut follows_failure = |check: &ReturnCheck, after: Duration| {
            cx.now = begin + after;
            check.may_have_failed(&cx, false)
        };
        assert!(!follows_failure(&check, tolerated * 2), "no probe was ever sent");
        let cx_at = |after: Duration| {
            let mut cx = Context::of_others(SwimConfig::verified(), &[]);
            cx.now = begin + after;
            cx
        };
        check.probe_answered(&cx_at(Duration::ZERO));
        assert!(!follows_failure(&check, tolerated), "a gap of exactly that length is short");
        check.probe_answered(&cx_at(tolerated));
        assert!(!follows_failure(&check, tolerated + instant), "there was no gap");
        assert!(follows_failure(&check, tolerated * 2 + instant));
        let back = tolerated * 2 + instant;
        check.probe_answered(&cx_at(back));
        assert!(follows_failure(&check, back) && follows_failure(&check, back + tolerated));
        check.probe_answered(&cx_at(back + tolerated));
        assert!(!follows_failure(&check, back + tolerated + instant), "the gap was long ago");
    }

    /// So it is while few others are reached, too.
    #[test]
    fn suspicion_during_return_may_follow_a_failure() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        let mut check = ReturnCheck::default();
        assert!(check.may_have_failed(&cx, true) && !check.may_have_failed(&cx, false));
        check.declared_failed(&mut cx, Incarnation::new(7));
        assert!(check.may_have_failed(&cx, false));
    }
}
