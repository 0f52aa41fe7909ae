//! The ids of events: the run of the agent, and the number of the event in it.

use std::fmt;
use std::str::FromStr;

/// The id of an event. Its text is as `5f3a09c1-17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    /// The run of the agent.
    pub(super) run: u32,
    /// The number of the event; 0 is before the first one.
    pub(super) number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

impl FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (run, number) = text.split_once('-')?;
            let run = u32::from_str_radix(run, 16).ok().filter(|_| run.len() == 8)?;
            Some(Self { run, number: number.parse().ok()? })
        };
        let wrong =
            || format!("{text:?} is not the id of an event; give the last `id` of the stream, or none");
        parse().ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_reads_back_and_other_texts_are_refused() {
        let id = EventId { run: 0x00ab_cdef, number: 17 };
        assert_eq!((id.to_string().as_str(), id.to_string().parse()), ("00abcdef-17", Ok(id)));
        for wrong in ["", "17", "00abcdef", "00abcdef-", "abcdef-1", "00abcdef--1", "0abcdefg-1"] {
            assert!(wrong.parse::<EventId>().unwrap_err().contains("the last `id`"), "{wrong}");
        }
    }
}
