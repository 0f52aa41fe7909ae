//! Which accusers this member has answered a moment ago. A refutation costs every member a
//! signature, so a flood of accusations must not cause a flood of them.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// Each accuser is answered at most once in this time. A refutation reaches all members by
/// then.
const ONCE_IN: Duration = Duration::from_secs(2);
/// The same for an accuser whose accusations do not count. It may be sick and no liar, and without
/// an answer it would suspect this member for ever.
const SELDOM_ONCE_IN: Duration = Duration::from_mins(1);
/// How many accusers are remembered. One more is answered when another's time is over.
const ACCUSERS_MAX: usize = 1_024;

/// So many ignored claims of one accuser since its answer are a flood. A correct member that has
/// not heard the answer claims once with each probe, so about twice.
const FLOOD: u64 = 50;

/// When this member answered each accuser.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<NodeId, Answered>);

#[derive(Debug)]
struct Answered {
    at: Instant,
    /// How many claims were ignored since then.
    ignored: u64,
}

impl Answers {
    /// Whether any of these accusers may be answered now. If so, all of them count as answered.
    /// `count`: their accusations count.
    pub(super) fn may_answer_any(&mut self, now: Instant, accusers: &[NodeId], count: bool) -> bool {
        self.0.retain(|_, answered| now.since(answered.at) < SELDOM_ONCE_IN);
        let once_in = if count { ONCE_IN } else { SELDOM_ONCE_IN };
        let is_free =
            |accuser: &&NodeId| self.0.get(*accuser).is_none_or(|answered| now.since(answered.at) >= once_in);
        let free: Vec<NodeId> = accusers.iter().filter(is_free).cloned().collect();
        if free.is_empty() || self.0.len() + free.len() > ACCUSERS_MAX {
            for accuser in accusers {
                if let Some(answered) = self.0.get_mut(accuser) {
                    answered.ignored += 1;
                }
            }
            return false;
        }
        self.0.extend(free.into_iter().map(|accuser| (accuser, Answered { at: now, ignored: 0 })));
        true
    }

    /// Whether the claim of this accuser that was ignored just now completes a flood.
    pub(super) fn completes_flood(&self, accuser: &NodeId) -> bool {
        self.0
            .get(accuser)
            .is_some_and(|answered| answered.ignored > 0 && answered.ignored.is_multiple_of(FLOOD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    #[test]
    fn accuser_is_answered_once_in_two_seconds() {
        let (mut answers, now) = (Answers::default(), Instant::ORIGIN);
        assert!(answers.may_answer_any(now, &[id(1)], true));
        assert!(!answers.may_answer_any(now, &[id(1)], true));
        assert!(answers.may_answer_any(now, &[id(1), id(2)], true), "another accuser has no answer yet");
        assert!(!answers.may_answer_any(now, &[id(1), id(2)], true));
        assert!(answers.may_answer_any(now + ONCE_IN, &[id(1)], true));
    }

    #[test]
    fn fifty_ignored_claims_are_a_flood() {
        let (mut answers, now) = (Answers::default(), Instant::ORIGIN);
        let mut claim = || {
            let is_answered = answers.may_answer_any(now, &[id(1)], true);
            (is_answered, answers.completes_flood(&id(1)))
        };
        assert_eq!(claim(), (true, false));
        let floods: Vec<u64> = (1..=2 * FLOOD).filter(|_| claim() == (false, true)).collect();
        assert_eq!(floods, [FLOOD, 2 * FLOOD]);
        assert!(!answers.completes_flood(&id(2)));
        assert!(answers.may_answer_any(now + ONCE_IN, &[id(1)], true) && !answers.completes_flood(&id(1)));
    }

    #[test]
    fn accuser_that_does_not_count_is_answered_once_a_minute() {
        let (mut answers, now) = (Answers::default(), Instant::ORIGIN);
        assert!(answers.may_answer_any(now, &[id(1)], true));
        assert!(!answers.may_answer_any(now + ONCE_IN, &[id(1)], false));
        assert!(answers.may_answer_any(now + SELDOM_ONCE_IN, &[id(1)], false));
    }

    #[test]
    fn accusers_beyond_the_bound_are_not_answered() {
        let (mut answers, now) = (Answers::default(), Instant::ORIGIN);
        assert!((0..ACCUSERS_MAX).all(|number| answers.may_answer_any(now, &[id(number)], true)));
        assert!(!answers.may_answer_any(now, &[id(ACCUSERS_MAX)], true));
        assert!(answers.may_answer_any(now + SELDOM_ONCE_IN, &[id(ACCUSERS_MAX)], true));
    }
}
