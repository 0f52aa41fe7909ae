//! The results of the demo, in numbers.

use std::time::Duration;

use kinfolk::NodeId;
use serde::Serialize;

use super::awaited::Awaited;
use crate::render::{Cell, Paint, Tone, table};

/// The last object of `--json`, and the table at the end. Times are in seconds and count from the
/// start of their step, unless stated otherwise.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename = "summary")]
pub(super) struct Summary {
    /// The number of members.
    pub(super) nodes: usize,
    /// Until all members saw all others.
    pub(super) join_s: f64,
    /// The slowest join of a single member.
    pub(super) join_slowest_s: f64,
    /// Until the last member had received the broadcast, in milliseconds.
    pub(super) broadcast_ms: f64,
    /// For how long idle traffic was measured: the second half of the idle time, when fewer
    /// connections are new.
    pub(super) idle_s: f64,
    /// UDP payload bytes that a member sent per second in that time.
    pub(super) bytes_per_node_s: f64,
    /// UDP datagrams that a member sent per second in that time.
    pub(super) datagrams_per_node_s: f64,
    /// Until the first survivor declared the crashed member failed.
    pub(super) crash_first_s: f64,
    /// Until the last survivor did.
    pub(super) crash_last_s: f64,
    /// The first and the last of these survivors.
    pub(super) crash_first_by: Option<NodeId>,
    pub(super) crash_last_by: Option<NodeId>,
    /// Until the last member knew that a member had left.
    pub(super) leave_last_s: f64,
    /// Until all saw the crashed member again, and it saw all of them.
    pub(super) return_s: f64,
    /// How often a running member was declared failed, in the whole demo. Every observer counts.
    pub(super) false_failures: u64,
    /// How often a running member was suspected, in the whole demo. Every observer counts.
    pub(super) false_suspicions: u64,
    /// The number of events that were dropped because the demo read them too slowly. The other
    /// numbers do not include them.
    pub(super) events_lost: u64,
    /// Whether all running members held the same view at the end.
    pub(super) views_agree: bool,
    /// From the first start to the end of the demo.
    pub(super) total_s: f64,
}

impl Summary {
    pub(super) fn crashed(&mut self, known: &Awaited) {
        (self.crash_first_s, self.crash_first_by) = when_and_who(known.first());
        (self.crash_last_s, self.crash_last_by) = when_and_who(known.last());
    }

    pub(super) fn render(&self, paint: Paint) -> String {
        let by = |who: &Option<NodeId>| who.as_ref().map_or_else(String::new, |who| format!("by {who}"));
        let row = |what: &str, value: String, note: String| {
            vec![Cell::plain(what), Cell::new(Tone::Strong, value), Cell::new(Tone::Faint, note)]
        };
        let false_tone = if self.false_failures == 0 { Tone::Good } else { Tone::Bad };
        let mut false_failures =
            row("false failures", String::new(), format!("{} false suspicions", self.false_suspicions));
        false_failures[1] = Cell::new(false_tone, self.false_failures);
        let idle = format!("{:.1} datagrams/s, over {:.1} s", self.datagrams_per_node_s, self.idle_s);
        let rows = [
            row(
                &format!("{} members saw each other after", self.nodes),
                human(self.join_s),
                format!("slowest join {}", human(self.join_slowest_s)),
            ),
            row("the broadcast reached all after", human(self.broadcast_ms / 1e3), String::new()),
            row("each idle member sent", format!("{:.0} bytes/s", self.bytes_per_node_s), idle),
            row(
                "the first survivor knew of the crash after",
                human(self.crash_first_s),
                by(&self.crash_first_by),
            ),
            row("all survivors knew of the crash after", human(self.crash_last_s), by(&self.crash_last_by)),
            row("all members knew of the leave after", human(self.leave_last_s), String::new()),
            row("all members knew of the return after", human(self.return_s), String::new()),
            false_failures,
        ];
        table(paint, &["", "", ""], &rows).trim_start().to_owned()
    }
}

/// Seconds, rounded to the microsecond: further digits mean nothing in these measurements.
pub(super) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

/// Seconds for people: `7.08 s`, `53 ms`, `0.4 ms`.
pub(super) fn human(seconds: f64) -> String {
    match seconds * 1e3 {
        millis if millis >= 1e3 => format!("{seconds:.2} s"),
        millis if millis >= 10.0 => format!("{millis:.0} ms"),
        millis => format!("{millis:.1} ms"),
    }
}

fn when_and_who(seen: Option<(Duration, &NodeId)>) -> (f64, Option<NodeId>) {
    seen.map_or_else(Default::default, |(at, who)| (seconds(at), Some(who.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_only_digits_that_mean_something() {
        assert_eq!([7.0844, 0.9999, 0.0534, 0.00041].map(human), ["7.08 s", "1000 ms", "53 ms", "0.4 ms"]);
    }

    /// Scripts read these names.
    #[test]
    fn summary_object_keeps_its_names() {
        let json = serde_json::to_value(Summary::default()).unwrap();
        assert_eq!(json["kind"], "summary");
        for name in [
            "join_s",
            "crash_first_s",
            "crash_last_s",
            "leave_last_s",
            "broadcast_ms",
            "false_failures",
            "bytes_per_node_s",
        ] {
            assert!(json[name].is_number(), "{name}");
        }
    }
}
