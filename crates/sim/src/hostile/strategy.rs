//! The strategies of a liar: what it sends, and when.

use std::fmt;
use std::time::Duration;

/// In a group of at most this many members the liar speaks to all others.
const SPOKEN_TO: usize = 32;

/// How a liar attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// It says of everybody that they failed or left, at several incarnations.
    Condemn(Form, Schedule),
    /// It says of everybody that invented members suspect them.
    Suspect,
    /// It repeats the accusations of honest members after their subject has refuted them.
    ReplayRefuted,
    /// It repeats the accusations of honest members after their subject has restarted.
    ReplayRestarted,
    /// As a witness it says that it finds each subject's port closed.
    FalseWitness,
    /// It asks honest witnesses for their accusations of a member that pauses for 3 s, and uses
    /// them 5 s after that, together with its own.
    KeptTestimony,
    /// The same, while a fifth of all messages is lost.
    KeptTestimonyLoss,
    /// It forges addresses, tags, leaves, and names, and has members forgotten.
    Forge,
    /// It makes a member that joins forget all others, before that member knows them.
    ForgetAtJoin,
}

/// In which form a liar says that a member failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A claim without proof.
    Claim,
    /// An accusation that it signs itself.
    Accusation,
    /// An accusation in the name of another member, with a signature of its own.
    InventedAccuser,
}

/// When a liar attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Once.
    Once,
    /// Each second, for 15 s.
    EachSecond,
    /// Each 10 ms, for 5 s.
    Flood,
}

/// About which incarnation of its subject a liar speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incarnations {
    /// The present one.
    Equal,
    /// One above.
    Next,
    /// 23 hours ahead.
    Ahead,
    /// The highest that exists.
    Max,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 17] = [
        Self::Condemn(Form::Claim, Schedule::Once),
        Self::Condemn(Form::Claim, Schedule::EachSecond),
        Self::Condemn(Form::Claim, Schedule::Flood),
        Self::Condemn(Form::Accusation, Schedule::Once),
        Self::Condemn(Form::Accusation, Schedule::EachSecond),
        Self::Condemn(Form::Accusation, Schedule::Flood),
        Self::Condemn(Form::InventedAccuser, Schedule::Once),
        Self::Condemn(Form::InventedAccuser, Schedule::EachSecond),
        Self::Condemn(Form::InventedAccuser, Schedule::Flood),
        Self::Suspect,
        Self::ReplayRefuted,
        Self::ReplayRestarted,
        Self::FalseWitness,
        Self::KeptTestimony,
        Self::KeptTestimonyLoss,
        Self::Forge,
        Self::ForgetAtJoin,
    ];

    /// Whether the strategy must make all honest members of a group of this size distrust the liar.
    /// Only those who hear a claim without proof, or a forged message, know who sent it. A liar
    /// speaks to 31 members at a time. Suspicions without proof count at most once in 2 s, so 15 s
    /// of them are just enough in most runs: nothing is promised of them.
    pub fn must_be_distrusted(self, nodes: usize) -> bool {
        match self {
            Self::Condemn(form, Schedule::EachSecond | Schedule::Flood) => {
                form == Form::Accusation || nodes <= SPOKEN_TO
            }
            _ => false,
        }
    }

    /// Why the strategy may remove an honest member for some time, if it may.
    pub fn known_limit(self) -> Option<&'static str> {
        match self {
            Self::KeptTestimonyLoss => Some(
                "after a pause, a member under loss refutes only when its return check passes; until \
                 then one liar can use the accusations of honest witnesses",
            ),
            _ => None,
        }
    }

    /// Whether the liar attacks this long after its begin. It is asked each 10 ms.
    pub(super) fn is_due(self, after: Duration) -> bool {
        let each = |millis: u128, from: u64, to: u64| {
            after >= Duration::from_secs(from)
                && after < Duration::from_secs(to)
                && after.as_millis().is_multiple_of(millis)
        };
        match self {
            Self::Condemn(_, Schedule::Once) => after.is_zero(),
            Self::Condemn(_, Schedule::EachSecond) | Self::Suspect | Self::Forge => each(1_000, 0, 15),
            Self::Condemn(_, Schedule::Flood) => each(10, 0, 5),
            // From shortly after the first pause has ended, or the crash has begun.
            Self::ReplayRefuted => each(1_000, 8, 40),
            Self::ReplayRestarted => each(500, 0, 40),
            Self::FalseWitness | Self::KeptTestimony | Self::KeptTestimonyLoss => each(1_000, 0, 40),
            Self::ForgetAtJoin => each(10, 10, 15),
        }
    }
}

impl Incarnations {
    const ALL: [Self; 4] = [Self::Equal, Self::Next, Self::Ahead, Self::Max];

    /// The present one for each second number, and the others in turn.
    pub(super) fn of(number: usize) -> Self {
        Self::ALL[number / 2 % Self::ALL.len() * (number % 2)]
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Condemn(form, schedule) => return write!(f, "{form}, {schedule}"),
            Self::Suspect => "suspicions of invented accusers, each second",
            Self::ReplayRefuted => "old accusations after a refutation",
            Self::ReplayRestarted => "old accusations after a restart",
            Self::FalseWitness => "false witness",
            Self::KeptTestimony => "kept testimony, used later",
            Self::KeptTestimonyLoss => "kept testimony, 20 % loss",
            Self::Forge => "forged statements",
            Self::ForgetAtJoin => "forget updates to one that joins",
        };
        f.pad(name)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Claim => "claims",
            Self::Accusation => "own accusations",
            Self::InventedAccuser => "invented accusers",
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Once => "once",
            Self::EachSecond => "each second",
            Self::Flood => "each 10 ms",
        })
    }
}
