//! Why a member is suspected or was declared failed. Short enough to be sent with an event and to
//! be read in one line.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::node::NodeId;

/// The evidence for a suspicion or a failure, as far as this member knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// What happened.
    #[serde(flatten)]
    pub reason: Reason,
    /// The accusers, in the order in which this member heard of them; at most
    /// [`ACCUSERS_MAX`](Self::ACCUSERS_MAX).
    pub accusers: Vec<NodeId>,
}

impl Cause {
    /// The most accusers that are kept, and that a claim on the wire may carry. Later accusers do
    /// not change a verdict.
    pub const ACCUSERS_MAX: usize = 8;

    /// A cause with one accuser.
    pub fn by(accuser: NodeId, reason: Reason) -> Self {
        Self { reason, accusers: vec![accuser] }
    }
}

/// What happened, from the point of view of the member that reports it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// This member probed the subject. Neither the direct probe nor any helper got an answer.
    ProbeUnanswered {
        /// The number of helpers that were asked for an indirect probe.
        helpers: usize,
        /// The number of helpers that answered with a nack: they could not reach the subject
        /// either.
        nacks: usize,
    },
    /// The subject's silence is too improbable, given its past (phi accrual).
    Phi {
        /// The suspicion level.
        phi: f64,
        /// For how long this member has heard nothing from the subject.
        #[serde(rename = "silence_ms", serialize_with = "crate::time::as_millis")]
        silence: Duration,
    },
    /// The subject did not answer this member's probes, and the witnesses could not reach it
    /// either.
    Silent {
        /// For how long the subject has answered none of this member's probes.
        #[serde(rename = "silence_ms", serialize_with = "crate::time::as_millis")]
        silence: Duration,
        /// The number of witnesses that were asked.
        witnesses: usize,
        /// The number of witnesses that answered that they could not reach the subject.
        nacks: usize,
    },
    /// The subject's host reports that its port is closed: no process listens there.
    PortClosed {
        /// For how long the subject had answered none of this member's probes.
        #[serde(rename = "silence_ms", serialize_with = "crate::time::as_millis")]
        silence: Duration,
        /// The number of witnesses that found the port closed, not counting this member.
        witnesses: usize,
    },
    /// Most of the subject's watchers can reach it only now and then. At the same time other
    /// members reach it, and its watchers reach others: the subject's link is lossy.
    Lossy {
        /// The number of this member's latest probes that the subject answered.
        answered: u32,
        /// The number of those probes.
        probes: u32,
    },
    /// Another member reported it.
    Reported,
    /// The member's accusations of others were refuted again and again, or it sent forged messages.
    FalseAccusations {
        /// How many accusations were refuted or forged, as far as this member knows.
        refuted: u64,
        /// How many turned out to be true.
        confirmed: u64,
    },
    /// An authority has revoked the subject's certificate.
    Revoked,
    /// The subject was suspected and did not refute in time.
    SuspicionExpired {
        /// For how long this member has known of the suspicion.
        #[serde(rename = "suspected_for_ms", serialize_with = "crate::time::as_millis")]
        suspected_for: Duration,
    },
}

impl Reason {
    /// The names of all reasons, as they are serialized, in the order of [`index`](Self::index).
    pub const NAMES: [&'static str; 9] = [
        "probe_unanswered",
        "phi",
        "silent",
        "port_closed",
        "lossy",
        "reported",
        "false_accusations",
        "suspicion_expired",
        "revoked",
    ];

    /// The place of this reason in [`NAMES`](Self::NAMES), for counters by reason.
    pub const fn index(&self) -> usize {
        match self {
            Self::ProbeUnanswered { .. } => 0,
            Self::Phi { .. } => 1,
            Self::Silent { .. } => 2,
            Self::PortClosed { .. } => 3,
            Self::Lossy { .. } => 4,
            Self::Reported => 5,
            Self::FalseAccusations { .. } => 6,
            Self::SuspicionExpired { .. } => 7,
            Self::Revoked => 8,
        }
    }
}

/// A duration for people: milliseconds below a second, then seconds with one decimal.
struct Readable(Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProbeUnanswered { helpers: 0, .. } => write!(f, "did not answer our probe"),
            Self::ProbeUnanswered { helpers, nacks } => {
                let s = |count: usize| if count == 1 { "" } else { "s" };
                write!(f, "answered neither our probe nor {helpers} indirect one{} ", s(*helpers))?;
                write!(f, "({nacks} nack{})", s(*nacks))
            }
            Self::Phi { phi, silence } => {
                write!(f, "silent for {} (phi {phi:.1})", Readable(*silence))
            }
            Self::Silent { silence, witnesses: 0, .. } => {
                write!(f, "silent for {}", Readable(*silence))
            }
            Self::Silent { silence, witnesses, nacks } => {
                let silence = Readable(*silence);
                write!(f, "silent for {silence}; {nacks} of {witnesses} witnesses could not reach it")
            }
            Self::PortClosed { silence, witnesses } => {
                // `witnesses` does not count this member, which found the port closed too.
                let found = 1 + witnesses;
                let s = if found == 1 { "" } else { "s" };
                write!(f, "its port is closed, as {found} member{s} found; silent for {}", Readable(*silence))
            }
            Self::Lossy { answered, probes } => {
                write!(f, "answered {answered} of {probes} probes, as most of its watchers found")
            }
            Self::Revoked => write!(f, "its certificate is revoked"),
            Self::Reported => write!(f, "reported"),
            Self::FalseAccusations { refuted, confirmed } => {
                write!(f, "{refuted} of its accusations were false, and {confirmed} were true")
            }
            Self::SuspicionExpired { suspected_for } => {
                write!(f, "suspected for {} without refuting", Readable(*suspected_for))
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        for (i, accuser) in self.accusers.iter().enumerate() {
            write!(f, "{} {accuser}", if i == 0 { "; accused by" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_prints_its_figures() {
        use Reason::{Lossy, Phi, PortClosed, ProbeUnanswered, Reported, Silent, SuspicionExpired};
        let (short, long) = (Duration::from_millis(999), Duration::from_secs(1));
        let table = [
            (ProbeUnanswered { helpers: 0, nacks: 0 }, "did not answer our probe"),
            (
                ProbeUnanswered { helpers: 1, nacks: 0 },
                "answered neither our probe nor 1 indirect one (0 nacks)",
            ),
            (
                ProbeUnanswered { helpers: 3, nacks: 1 },
                "answered neither our probe nor 3 indirect ones (1 nack)",
            ),
            (Phi { phi: 8.04, silence: short }, "silent for 999 ms (phi 8.0)"),
            (Silent { silence: long, witnesses: 0, nacks: 0 }, "silent for 1.0 s"),
            (
                Silent { silence: long, witnesses: 3, nacks: 2 },
                "silent for 1.0 s; 2 of 3 witnesses could not reach it",
            ),
            (
                PortClosed { silence: short, witnesses: 0 },
                "its port is closed, as 1 member found; silent for 999 ms",
            ),
            (
                PortClosed { silence: short, witnesses: 2 },
                "its port is closed, as 3 members found; silent for 999 ms",
            ),
            (Lossy { answered: 2, probes: 12 }, "answered 2 of 12 probes, as most of its watchers found"),
            (Reported, "reported"),
            (SuspicionExpired { suspected_for: long * 90 }, "suspected for 90.0 s without refuting"),
        ];
        for (reason, text) in table {
            assert_eq!(reason.to_string(), text);
        }
    }

    #[test]
    fn each_reason_has_the_name_that_it_is_serialized_with() {
        let long = Duration::from_secs(1);
        let all = [
            Reason::ProbeUnanswered { helpers: 0, nacks: 0 },
            Reason::Phi { phi: 8.0, silence: long },
            Reason::Silent { silence: long, witnesses: 0, nacks: 0 },
            Reason::PortClosed { silence: long, witnesses: 0 },
            Reason::Lossy { answered: 2, probes: 12 },
            Reason::Reported,
            Reason::FalseAccusations { refuted: 5, confirmed: 0 },
            Reason::SuspicionExpired { suspected_for: long },
            Reason::Revoked,
        ];
        for (at, reason) in all.iter().enumerate() {
            assert_eq!(reason.index(), at);
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json["reason"], Reason::NAMES[at]);
        }
    }

    #[test]
    fn cause_prints_all_accusers() {
        let id = |name| NodeId::new(name).unwrap();
        let mut cause = Cause { reason: Reason::Reported, accusers: Vec::new() };
        assert_eq!(cause.to_string(), "reported");
        cause = Cause::by(id("a"), Reason::Reported);
        assert_eq!(cause.to_string(), "reported; accused by a");
        cause.accusers.extend([id("b"), id("c")]);
        assert_eq!(cause.to_string(), "reported; accused by a, b, c");
    }
}
