//! What a call of the handle can end in.

use std::time::Duration;

use kinfolk_core::{Incarnation, NodeId};
use kinfolk_swim::{CommandError, ConfigError, ForgetError, JoinFailure, NoReply};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GossipError {
    /// The configuration is out of its range. Nothing was started.
    #[error("the protocol's configuration cannot be used: {0}")]
    Config(#[from] ConfigError),
    /// The protocol has been stopped. Nothing was done.
    #[error("the protocol has stopped: start the member again")]
    Stopped,
    /// The member through which we wanted to join did not go through with it; the next one may.
    #[error("{peer} did not let us join: {why}")]
    Join {
        /// Whom we asked.
        peer: NodeId,
        /// Why.
        why: JoinRefusal,
    },
    /// The protocol refused: a broadcast is too large, or we have left. Nothing has changed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A member is not forgotten. Nothing has changed.
    #[error(transparent)]
    Forget(#[from] ForgetError),
}

/// Why a member did not let us join through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinRefusal {
    /// It gave no answer in time.
    #[error("it did not answer in time; is it running, and does its firewall let UDP through?")]
    Silent,
    /// It answered, but not as a member does.
    #[error("it answered, but not as a member of this cluster; see its log")]
    Refused,
    /// A limit of our own was reached, or we have left.
    #[error("a limit of our own was reached, or we have left; try again")]
    Local,
    /// The two wall clocks differ by more than 24 hours. An incarnation starts as the time of the
    /// wall clock, so each would take the other's claims for false.
    #[error(
        "our clock says {} and its clock says {}, which is more than 24 h apart; set the wrong clock right, then start again",
        date(*ours),
        date(*theirs)
    )]
    ClocksDiffer {
        /// What our wall clock says, as the time since the Unix epoch.
        ours: Duration,
        /// What its wall clock says, as the time since the Unix epoch.
        theirs: Duration,
    },
    /// Our incarnation lies more than 24 hours ahead of its wall clock, though the clocks agree.
    #[error(
        "our incarnation lies more than 24 h ahead of its clock; remove the state directory of this member, and start again"
    )]
    FarAhead,
    /// Its registry has no room for one more member.
    #[error("its registry is full; see whether old names fill it, and forget them")]
    Full,
    /// It leaves the group itself.
    #[error("it is leaving the group; give another seed")]
    Leaving,
}

impl From<JoinFailure> for JoinRefusal {
    fn from(failure: JoinFailure) -> Self {
        let since_epoch = |clock: Incarnation| Duration::from_millis(clock.get());
        match failure {
            JoinFailure::NoAnswer(NoReply::Silent | NoReply::Late) => Self::Silent,
            JoinFailure::NoAnswer(NoReply::Refused) => Self::Refused,
            JoinFailure::NoAnswer(NoReply::Local) => Self::Local,
            JoinFailure::ClocksDiffer { ours, theirs } => {
                Self::ClocksDiffer { ours: since_epoch(ours), theirs: since_epoch(theirs) }
            }
            JoinFailure::FarAhead => Self::FarAhead,
            JoinFailure::Full => Self::Full,
            JoinFailure::Leaving => Self::Leaving,
        }
    }
}

/// A point of time as people read it (RFC 3339); the milliseconds since the Unix epoch where it
/// lies beyond the year 9999.
pub(crate) fn date(since_epoch: Duration) -> String {
    let whole = i64::try_from(since_epoch.as_secs()).ok();
    let date = whole.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let text = date.and_then(|date| date.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("{} ms after 1970", since_epoch.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_clock_shows_both_clocks() {
        let (ours, theirs) = (Duration::from_secs(1_790_000_000), Duration::from_secs(1_790_100_001));
        assert_eq!(
            JoinRefusal::ClocksDiffer { ours, theirs }.to_string(),
            "our clock says 2026-09-21T14:13:20Z and its clock says 2026-09-22T18:00:01Z, which is more than 24 h apart; \
             set the wrong clock right, then start again"
        );
        assert_eq!(date(Duration::from_millis(u64::MAX)), "18446744073709551615 ms after 1970");
    }
}
