//! Coming back after having been declared failed (`Mode::Verified`). Who is alive refutes by one claim; but whether it is *well*
//! only it can find out, and a group that takes back at once whom it can hardly reach never comes to rest. So before we
//! refute, we see whether we reach others.
//!
//! ```text
//!   declared failed ──> trial: eight probes of our neighbours at once ──┬─ seven answered, and well for long enough ──> refute
//!                         ^                                             ├─ seven answered ──> again in 5 s
//!                         └──────── 1 s, doubled to a minute ───────────┴─ fewer
//! ```
//!
//! *Long enough* is no time at all at first: who was cut off, or stalled, is back a round trip after it is heard again. Who is
//! declared failed once more within `return_probation` of its return must do well for that long before it returns again.

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

/// How many probes a trial has.
const PROBES: u32 = 8;
/// How many of them may go unanswered.
const MISSED_MAX: u32 = 1;
/// After a trial that failed: connections that have not noticed yet that the network is back are opened anew meanwhile.
const AGAIN: Duration = Duration::from_secs(1);
/// The same after several, each of which doubles it.
const AGAIN_MAX: Duration = Duration::from_mins(1);
/// Between two trials that went well, where we have to do well for a while.
const AGAIN_WELL: Duration = Duration::from_secs(5);

/// How far we are on our way back.
#[derive(Debug, Default)]
pub(super) struct ReturnCheck {
    /// Since we were declared failed, until we refute.
    out: Option<Out>,
    /// When we last refuted that we had failed.
    returned: Option<Instant>,
    /// Counts the trials.
    trials: u64,
    /// When a probe of ours was last answered.
    answered: Option<Instant>,
    /// When one was answered at last after so long that we may well have been declared failed meanwhile.
    reached_again: Option<Instant>,
}

#[derive(Debug)]
struct Out {
    /// The highest claim that we have failed.
    claimed: Incarnation,
    /// For how long we have to do well.
    probation: Duration,
    /// Since when all trials have gone well.
    well_since: Option<Instant>,
    /// How many trials in a row have gone wrong.
    failed: u32,
    trial: Option<Trial>,
    /// When the trial is over, or when the next one begins.
    timer: Option<TimerKey>,
    /// Tags that were set meanwhile. To state them at once would bring us back without a trial.
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
    /// A probe of ours has been answered.
    pub(super) fn reached_somebody(&mut self, cx: &Context) {
        let tolerated = cx.config.tolerated_pause;
        if self.answered.is_some_and(|last| cx.now.since(last) > tolerated) {
            self.reached_again = Some(cx.now);
        }
        self.answered = Some(cx.now);
    }

    /// Whether a suspicion that we hear of now may be old news: that somebody has declared us failed since, which we would
    /// hear of later, or never, if we refuted the suspicion first. So it is while we are out or reach few, and just after
    /// nobody answered us for long.
    pub(super) fn may_have_failed(&self, cx: &Context, reaches_few: bool) -> bool {
        if self.is_out() || reaches_few {
            return true;
        }
        let longer_ago =
            |at: Option<Instant>| at.is_some_and(|at| cx.now.since(at) > cx.config.tolerated_pause);
        let again = self.reached_again;
        longer_ago(self.answered) || again.is_some() && !longer_ago(again)
    }

    /// Somebody holds us for failed, at this incarnation.
    pub(super) fn declared_failed(&mut self, cx: &mut Context, claimed: Incarnation) {
        if let Some(out) = &mut self.out {
            out.claimed = out.claimed.max(claimed);
            return;
        }
        // We were too slow for somebody (Lifeguard, section IV-A).
        cx.health.raise(1);
        let lately = self.returned.is_some_and(|at| cx.now.since(at) < cx.config.return_probation);
        let probation = if lately { cx.config.return_probation } else { Duration::ZERO };
        cx.stats.probations += u64::from(lately);
        let (well_since, failed, trial, timer) = (None, 0, None, None);
        self.out = Some(Out { claimed, probation, well_since, failed, trial, timer, tags: None });
        cx.fact(Fact::TrialWanted);
    }

    /// Keeps new tags until we come back. Returns them if we are not out.
    pub(super) fn keep_tags(&mut self, tags: Tags) -> Option<Tags> {
        match &mut self.out {
            Some(out) => {
                out.tags = Some(tags);
                None
            }
            None => Some(tags),
        }
    }

    /// Whether we hold that we were declared failed and have not come back yet.
    pub(super) fn is_out(&self) -> bool {
        self.out.is_some()
    }
}

impl Myself {
    /// A trial begins, or its time is over.
    pub(crate) fn return_check_due(&mut self, cx: &mut Context) {
        match self.return_check.out.as_ref().map(|out| out.trial) {
            Some(None) => cx.fact(Fact::TrialWanted),
            // What is still open has not been answered in time.
            Some(Some(Trial { open, missed, begun, .. })) => self.end_trial(cx, begun, missed + open),
            None => {}
        }
    }

    /// Probes these, our neighbours, to see whether we reach them.
    pub(crate) fn begin_trial(&mut self, cx: &mut Context, neighbours: &[NodeId]) {
        let check = &mut self.return_check;
        if cx.has_left() {
            check.out = None;
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
        if let Some(out) = &mut check.out {
            (out.timer, out.trial) = (Some(timer), Some(Trial { number, begun: cx.now, open, missed: 0 }));
        }
        if open == 0 {
            // There is nobody on whom we could try it.
            self.end_trial(cx, cx.now, 0);
        }
    }

    /// A probe of a trial has been answered, or not. One that a limit of ours prevented says nothing.
    pub(crate) fn tried(&mut self, cx: &mut Context, number: u64, unanswered: Option<NoReply>) {
        let Some(out) = &mut self.return_check.out else { return };
        let Some(trial) = out.trial.as_mut().filter(|trial| trial.number == number) else { return };
        trial.open -= 1;
        trial.missed += u32::from(unanswered.is_some_and(|why| why != NoReply::Local));
        let Trial { open, missed, begun, .. } = *trial;
        if missed > MISSED_MAX || missed + open <= MISSED_MAX {
            self.end_trial(cx, begun, missed);
        }
    }

    fn end_trial(&mut self, cx: &mut Context, begun: Instant, missed: u32) {
        let Some(out) = &mut self.return_check.out else { return };
        if let Some(timer) = out.timer.take() {
            cx.timers.cancel(timer);
        }
        out.trial = None;
        let again = if missed > MISSED_MAX {
            cx.stats.trials_failed += 1;
            out.well_since = None;
            out.failed += 1;
            AGAIN.saturating_mul(2_u32.saturating_pow(out.failed - 1)).min(AGAIN_MAX)
        } else {
            out.failed = 0;
            let since = *out.well_since.get_or_insert(begun);
            if cx.now.since(since) >= out.probation {
                return self.come_back(cx);
            }
            AGAIN_WELL
        };
        out.timer = Some(cx.timers.schedule(cx.now + again, Timer::ReturnCheck));
    }

    fn come_back(&mut self, cx: &mut Context) {
        let Some(Out { claimed, tags, .. }) = self.return_check.out.take() else { return };
        self.return_check.returned = Some(cx.now);
        let Some(mine) = cx.mine().filter(|_| !cx.has_left()) else { return };
        if claimed >= mine.incarnation || tags.is_some() {
            cx.stats.refutations += 1;
            self.state_anew(cx, claimed.max(mine.incarnation).next(), tags, Priority::Critical);
            cx.fact(Fact::CameBack);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::interface::config::SwimConfig;

    #[test]
    fn a_suspicion_may_be_old_news_while_nobody_has_answered_for_long_and_for_as_long_after_that() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        let mut check = ReturnCheck::default();
        let tolerated = cx.config.tolerated_pause;
        let instant = Duration::from_millis(1);
        let begin = cx.now;
        let mut look = |check: &ReturnCheck, after: Duration| {
            cx.now = begin + after;
            check.may_have_failed(&cx, false)
        };
        assert!(!look(&check, tolerated * 2), "nobody was ever asked");
        let cx_at = |after: Duration| {
            let mut cx = Context::of_others(SwimConfig::verified(), &[]);
            cx.now = begin + after;
            cx
        };
        check.reached_somebody(&cx_at(Duration::ZERO));
        assert!(!look(&check, tolerated), "a gap of exactly that length is short");
        check.reached_somebody(&cx_at(tolerated));
        assert!(!look(&check, tolerated + instant), "it was no gap");
        assert!(look(&check, tolerated * 2 + instant));
        let back = tolerated * 2 + instant;
        check.reached_somebody(&cx_at(back));
        assert!(look(&check, back) && look(&check, back + tolerated));
        check.reached_somebody(&cx_at(back + tolerated));
        assert!(!look(&check, back + tolerated + instant), "the gap was long ago");
    }

    #[test]
    fn who_is_out_or_reaches_few_takes_each_suspicion_for_old_news() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        let mut check = ReturnCheck::default();
        assert!(check.may_have_failed(&cx, true) && !check.may_have_failed(&cx, false));
        check.declared_failed(&mut cx, Incarnation::new(7));
        assert!(check.may_have_failed(&cx, false));
    }
}
