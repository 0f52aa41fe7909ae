//! The errors of the handle.

use std::time::Duration;

use kinfolk_core::{Incarnation, NodeId};
use kinfolk_swim::{CommandError, ConfigError, ForgetError, JoinFailure, NoReply};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GossipError {
    /// A setting of the protocol is out of its range. Nothing was started.
    ///
    /// What to do: change the setting that the message names to a value in its range.
    #[error("cannot start the protocol: {0}")]
    Config(#[from] ConfigError),
    /// The protocol was stopped. The call changed nothing.
    ///
    /// What to do: start the member again.
    #[error("the protocol has stopped; start the member again")]
    Stopped,
    /// This member could not join through the given member. A join through another one may succeed.
    ///
    /// What to do: follow the cause in the message, or give another seed.
    #[error("cannot join through {peer}: {why}")]
    Join {
        /// The member that should have let this member join.
        peer: NodeId,
        /// The cause.
        why: JoinRefusal,
    },
    /// The protocol refused the command: the broadcast is too large, or this member has left.
    /// Nothing has changed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The protocol refused to forget a member. Nothing has changed.
    #[error(transparent)]
    Forget(#[from] ForgetError),
}

/// Why this member could not join through another one. In the messages, "it" is the other member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinRefusal {
    /// The other member gave no answer in time.
    ///
    /// What to do: check that the other member runs, and that firewalls let UDP through.
    #[error("it did not answer in time; check that it runs, and that its firewall lets UDP through")]
    Silent,
    /// The other process refused, or its answer is not a valid answer of a member.
    ///
    /// What to do: read the log of the other member, which names the cause. Check that the address
    /// belongs to a member of this cluster.
    #[error("it refused, or its answer is not valid for a member of this cluster; see its log")]
    Refused,
    /// A limit of this member was reached, or this member has left. The other member is not at
    /// fault.
    ///
    /// What to do: try again. If this member left, start it again.
    #[error("this member reached a limit of its own, or has left; try again, or start it again if it left")]
    Local,
    /// The two wall clocks differ by more than 24 hours. An incarnation starts as the time of the
    /// wall clock, so the member with the earlier clock would refuse the other's claims.
    ///
    /// What to do: correct the wrong clock, then start this member again.
    #[error(
        "our clock says {} and its clock says {}, which is more than 24 h apart; correct the wrong clock, \
         then start this member again",
        date(*ours),
        date(*theirs)
    )]
    ClocksDiffer {
        /// Our wall clock, as the time since the Unix epoch.
        ours: Duration,
        /// The other member's wall clock, as the time since the Unix epoch.
        theirs: Duration,
    },
    /// Our incarnation is more than 24 hours ahead of the other member's wall clock, though the
    /// clocks agree. The state directory may hold an incarnation from a time when a clock was
    /// wrong.
    ///
    /// What to do: remove the state directory of this member, then start this member again.
    #[error(
        "our incarnation is more than 24 h ahead of its clock; remove the state directory of this member, \
         then start this member again"
    )]
    FarAhead,
    /// The registry of the other member has no room for a further member.
    ///
    /// What to do: check whether tombstones of old names fill the registry, and forget them.
    #[error("its registry is full; check whether old names fill it, and forget them")]
    Full,
    /// The other member is leaving the group.
    ///
    /// What to do: give another seed.
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

/// A point in time in RFC 3339 format. RFC 3339 ends with the year 9999; a later time is given as
/// milliseconds since 1970.
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
    fn clock_refusal_shows_both_clocks() {
        let (ours, theirs) = (Duration::from_secs(1_790_000_000), Duration::from_secs(1_790_100_001));
        assert_eq!(
            JoinRefusal::ClocksDiffer { ours, theirs }.to_string(),
            "our clock says 2026-09-21T14:13:20Z and its clock says 2026-09-22T18:00:01Z, which is more than \
             24 h apart; correct the wrong clock, then start this member again"
        );
        assert_eq!(date(Duration::from_millis(u64::MAX)), "18446744073709551615 ms after 1970");
    }
}
