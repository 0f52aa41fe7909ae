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

/// When this member answered each accuser.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<NodeId, Instant>);

impl Answers {
    /// Whether any of these accusers may be answered now. If so, all of them count as answered.
    /// `count`: their accusations count.
    pub(super) fn may_answer_any(&mut self, now: Instant, accusers: &[NodeId], count: bool) -> bool {
        self.0.retain(|_, at| now.since(*at) < SELDOM_ONCE_IN);
        let once_in = if count { ONCE_IN } else { SELDOM_ONCE_IN };
        let is_free = |accuser: &&NodeId| self.0.get(*accuser).is_none_or(|at| now.since(*at) >= once_in);
        let free: Vec<NodeId> = accusers.iter().filter(is_free).cloned().collect();
        if free.is_empty() || self.0.len() + free.len() > ACCUSERS_MAX {
            return false;
        }
        self.0.extend(free.into_iter().map(|accuser| (accuser, now)));
        true
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
