//! The states of a subject, and what changes them.
//!
//! ```text
//!                 unanswered               accuse
//!     watched ───────────────> silent ───────────────> accused ──> the verdict, when it is due
//!        ^                       │  ^ close_port          │  ^ close_port
//!        └───────────────────────┴────────────────────────┘
//!                              heard_from
//! ```

use std::time::Duration;

use kinfolk_core::Instant;

use crate::timer::TimerKey;

/// The state of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SubjectState(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// It answers.
    #[default]
    Watched,
    /// It has answered no probe since `since`, when the first unanswered probe was sent.
    Silent { since: Instant, port_closed: bool },
    /// As `Silent`, and this member accuses it. The verdict comes when the timer `verdict` is due.
    Accused { since: Instant, port_closed: bool, verdict: TimerKey },
}

/// A silence that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    pub since: Instant,
    /// The timer of the verdict, if this member accused the subject.
    pub verdict: Option<TimerKey>,
}

impl SubjectState {
    /// The probe that was sent at `sent` got no answer. The silence starts when the first
    /// unanswered probe was sent, so no silence is taken to be longer than it was.
    pub(super) fn unanswered(&mut self, sent: Instant) {
        if self.0 == State::Watched {
            self.0 = State::Silent { since: sent, port_closed: false };
        }
    }

    /// The subject was heard from. Returns the silence that has ended, if it was silent.
    pub(super) fn heard_from(&mut self) -> Option<Silence> {
        match std::mem::take(&mut self.0) {
            State::Watched => None,
            State::Silent { since, .. } => Some(Silence { since, verdict: None }),
            State::Accused { since, verdict, .. } => Some(Silence { since, verdict: Some(verdict) }),
        }
    }

    /// The subject's host reports that its port is closed. Returns whether that counts. It does not
    /// if the subject has answered meanwhile, as it does after a restart.
    pub(super) fn close_port(&mut self) -> bool {
        match &mut self.0 {
            State::Watched => false,
            State::Silent { port_closed, .. } | State::Accused { port_closed, .. } => {
                *port_closed = true;
                true
            }
        }
    }

    /// Accuses the subject; the verdict comes when the timer `at` is due. Returns whether it is
    /// accused: a subject that answers is not.
    pub(super) fn accuse(&mut self, at: TimerKey) -> bool {
        match self.0 {
            State::Watched => false,
            State::Silent { since, port_closed } | State::Accused { since, port_closed, .. } => {
                self.0 = State::Accused { since, port_closed, verdict: at };
                true
            }
        }
    }

    /// This member was paused for `by` until `now`. The subject could not answer during that time.
    pub(super) fn paused(&mut self, now: Instant, by: Duration) {
        if let State::Silent { since, .. } | State::Accused { since, .. } = &mut self.0 {
            // A pause may be longer than the silence. Its start must not move into the future.
            *since = (*since + by).min(now);
        }
    }

    /// Since when the subject is silent.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        match self.0 {
            State::Watched => None,
            State::Silent { since, .. } | State::Accused { since, .. } => Some(since),
        }
    }

    /// Whether the subject's host reported a closed port during this silence.
    pub(super) fn is_port_closed(&self) -> bool {
        matches!(self.0, State::Silent { port_closed: true, .. } | State::Accused { port_closed: true, .. })
    }

    /// The timer of the verdict, if this member accuses the subject.
    pub(super) fn verdict(&self) -> Option<TimerKey> {
        match self.0 {
            State::Accused { verdict, .. } => Some(verdict),
            State::Watched | State::Silent { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer::{Timer, Timers};

    fn at(second: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(second)
    }

    /// All states with all events: the next state, and what the event returns.
    #[test]
    fn every_event_in_every_state_follows_the_table() {
        let mut timers = Timers::default();
        let (first, second) =
            (timers.schedule(at(8), Timer::CountSilent), timers.schedule(at(9), Timer::CountSilent));
        let (watched, since) = (State::Watched, at(1));
        let silent = |port_closed| State::Silent { since, port_closed };
        let accused = |port_closed, verdict| State::Accused { since, port_closed, verdict };
        let later = |state| match state {
            State::Watched => watched,
            State::Silent { port_closed, .. } => State::Silent { since: at(3), port_closed },
            State::Accused { port_closed, verdict, .. } => {
                State::Accused { since: at(3), port_closed, verdict }
            }
        };
        let all = [watched, silent(false), silent(true), accused(false, first), accused(true, first)];
        for before in all {
            let after = |event: fn(&mut SubjectState, TimerKey) -> bool| {
                let mut subject = SubjectState(before);
                let returned = event(&mut subject, second);
                (subject.0, returned)
            };
            let is_silent = before != watched;
            let unanswered = after(|subject, _| {
                subject.unanswered(at(1));
                true
            });
            assert_eq!(unanswered.0, if is_silent { before } else { silent(false) }, "{before:?}");
            let heard = after(|subject, _| subject.heard_from().is_some());
            assert_eq!(heard, (watched, is_silent), "{before:?}");
            let closed = match before {
                State::Watched => watched,
                State::Silent { .. } => silent(true),
                State::Accused { .. } => accused(true, first),
            };
            assert_eq!(after(|subject, _| subject.close_port()), (closed, is_silent), "{before:?}");
            let is_closed = SubjectState(before).is_port_closed();
            let to = if is_silent { accused(is_closed, second) } else { watched };
            assert_eq!(after(SubjectState::accuse), (to, is_silent), "{before:?}");
            let paused = after(|subject, _| {
                subject.paused(at(9), Duration::from_secs(2));
                true
            });
            assert_eq!(paused.0, later(before), "{before:?}");
        }
    }

    #[test]
    fn ended_silence_has_its_start_and_its_verdict() {
        let mut timers = Timers::default();
        let verdict = timers.schedule(at(8), Timer::CountSilent);
        let mut subject = SubjectState::default();
        subject.unanswered(at(1));
        subject.unanswered(at(2));
        assert_eq!((subject.silent_since(), subject.verdict()), (Some(at(1)), None));
        assert!(subject.accuse(verdict));
        assert_eq!(subject.verdict(), Some(verdict));
        assert_eq!(subject.heard_from(), Some(Silence { since: at(1), verdict: Some(verdict) }));
        assert_eq!(subject.silent_since(), None);
    }

    #[test]
    fn long_pause_never_moves_a_silence_into_the_future() {
        let mut subject = SubjectState::default();
        subject.unanswered(at(1));
        subject.paused(at(2), Duration::from_mins(1));
        assert_eq!(subject.silent_since(), Some(at(2)));
    }
}
