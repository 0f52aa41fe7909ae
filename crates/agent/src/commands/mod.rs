//! The commands that ask a running agent. Each is a client of the agent's API.

pub(crate) mod event;
pub(crate) mod explain;
pub(crate) mod forget;
pub(crate) mod info;
pub(crate) mod leave;
pub(crate) mod maintenance;
pub(crate) mod members;
pub(crate) mod monitor;
pub(crate) mod reload;
pub(crate) mod report;
pub(crate) mod revoke;
pub(crate) mod rtt;
pub(crate) mod select;
pub(crate) mod services;
pub(crate) mod stats;
pub(crate) mod tags;

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::exit::{Failure, Status};

/// Writes a whole text to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// A value as one line of JSON.
fn json(value: &impl Serialize) -> Result<String, Failure> {
    // The value does not serialise, which is a defect of Kinfolk. What to do: report it.
    let json = serde_json::to_string(value).map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot write the result as JSON: {error}"))
    })?;
    Ok(format!("{json}\n"))
}

/// Several values as lines of JSON.
fn json_lines(values: &[impl Serialize]) -> Result<String, Failure> {
    values.iter().map(json).collect()
}

/// A time for people: `850 us`, `1.2 ms`, or `3.4 s`.
fn time(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1_000 => format!("{micros} us"),
        micros @ 1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        micros => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A round-trip time in microseconds, or a dash.
fn rtt(micros: Option<u64>) -> String {
    micros.map_or_else(|| "-".to_owned(), |micros| time(Duration::from_micros(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_unit() {
        let texts = [850, 1_250, 999_999, 3_450_000].map(|micros| rtt(Some(micros)));
        assert_eq!(texts, ["850 us", "1.2 ms", "999.9 ms", "3.4 s"]);
        assert_eq!(rtt(None), "-");
    }
}
