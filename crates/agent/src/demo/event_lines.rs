//! Turns events into lines of text, and limits their number.
//!
//! A small group prints every event. A large group prints only the first event about each member,
//! and only a few of each kind.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk::{ClusterEvent, NodeId};

use super::nodes::Observation;
use crate::render::{Tone, printable};

/// Up to this many running members, every event is printed: at most 8 * 7 lines a step.
const PRINT_ALL_MAX: usize = 8;

/// In a larger group: the number of members about which one kind of event is printed in one step.
const PRINT_KIND_MAX: usize = 5;

/// What has been printed in the current step: for each kind of event, the members it was about.
#[derive(Default)]
pub(super) struct EventLines(BTreeMap<&'static str, BTreeSet<NodeId>>);

impl EventLines {
    /// The line for this event. `None` if enough events of its kind have been printed.
    pub(super) fn line(&mut self, seen: &Observation, running: usize) -> Option<(Tone, String)> {
        let (kind, tone, text) = describe(seen)?;
        let of = seen.event.node().unwrap_or(&seen.by).clone();
        let about = self.0.entry(kind).or_default();
        let is_first = about.insert(of);
        // In a group of 64 members one crash causes 63 events. The first of them says it all.
        match about.len() {
            _ if running <= PRINT_ALL_MAX => Some((tone, text)),
            _ if !is_first => None,
            count if count <= PRINT_KIND_MAX => Some((tone, text)),
            // Printed once, so that the reader knows that lines are missing.
            count if count == PRINT_KIND_MAX + 1 => {
                Some((Tone::Faint, "... and more of this kind".to_owned()))
            }
            _ => None,
        }
    }

    /// Forgets what was printed: a new step begins.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The kind of the event, and the event as text. `None` for kinds that the steps report themselves.
fn describe(seen: &Observation) -> Option<(&'static str, Tone, String)> {
    use ClusterEvent as E;
    let by = &seen.by;
    Some(match &seen.event {
        E::NodeSuspected { node, cause } => {
            ("suspected", Tone::Warning, format!("{by} suspects {}: {cause}", node.id))
        }
        E::NodeFailed { node, cause } => {
            ("failed", Tone::Bad, format!("{by} declares {} failed: {cause}", node.id))
        }
        E::NodeRecovered { node } => {
            ("recovered", Tone::Good, format!("{by} sees that {} refuted: it is alive", node.id))
        }
        E::NodeLeft { node } => ("left", Tone::Left, format!("{by} sees {} leave", node.id)),
        E::HealthCheckFailed { id, phi, silence, .. } => {
            let silence = silence.as_secs_f64();
            ("silent", Tone::Faint, format!("{by} has not heard {id} for {silence:.1} s (phi {phi:.1})"))
        }
        E::HealthCheckRecovered { id, .. } => ("heard", Tone::Faint, format!("{by} hears {id} again")),
        E::Broadcast { from, payload } => {
            let text = printable(&String::from_utf8_lossy(payload));
            ("broadcast", Tone::Plain, format!("{by} receives \"{text}\" from {from}"))
        }
        E::EventsDropped { count } => {
            ("dropped", Tone::Warning, format!("{by} lost {count} events, because they were read too slowly"))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinfolk::{Cause, Incarnation, NodeAddr, NodeStatus, Reason, Tags};
    use tokio::time::Instant;

    use super::*;

    fn failed(by: &str, of: &str) -> Observation {
        let id = |name: &str| NodeId::new(name).unwrap();
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let node = Arc::new(NodeStatus::alive(id(of), addr, Incarnation::new(1), Tags::empty()));
        let cause = Cause::by(id("a"), Reason::Reported);
        Observation { at: Instant::now(), by: id(by), event: ClusterEvent::NodeFailed { node, cause } }
    }

    #[test]
    fn small_group_prints_all_and_large_group_the_first() {
        let print = |running| {
            let mut lines = EventLines::default();
            ["a", "b"].map(|by| lines.line(&failed(by, "c"), running).map(|(_, text)| text))
        };
        let a = Some("a declares c failed: reported; accused by a".to_owned());
        let b = Some("b declares c failed: reported; accused by a".to_owned());
        assert_eq!(print(PRINT_ALL_MAX), [a.clone(), b]);
        assert_eq!(print(PRINT_ALL_MAX + 1), [a, None]);
    }

    #[test]
    fn large_group_prints_one_kind_a_few_times_a_step() {
        let mut lines = EventLines::default();
        let mut print = |of: usize| lines.line(&failed("a", &format!("n{of}")), 64).map(|(_, text)| text);
        let printed: Vec<String> = (0..20).filter_map(&mut print).collect();
        assert_eq!(printed.len(), PRINT_KIND_MAX + 1);
        assert_eq!(printed[PRINT_KIND_MAX], "... and more of this kind");
        lines.clear();
        assert!(lines.line(&failed("a", "n0"), 64).is_some());
    }
}
