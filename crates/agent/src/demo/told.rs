//! What a member saw, in words, and how much of it is told: all in a small group; in a large one only what is seen first
//! of each member, and no more than a few of one kind.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk::{ClusterEvent, NodeId};

use super::nodes::Seen;
use crate::render::{Tone, printable};

/// Up to this many running members, what each of them sees is told.
const TELL_ALL_MAX: usize = 8;

/// In a larger group: of how many members one kind of sight is told in one step.
const TELL_KIND_MAX: usize = 5;

/// What has been told in the present step: by kind, about whom.
#[derive(Default)]
pub(super) struct Told(BTreeMap<&'static str, BTreeSet<NodeId>>);

impl Told {
    /// The line that tells of this, unless enough is told of its kind.
    pub(super) fn line(&mut self, seen: &Seen, running: usize) -> Option<(Tone, String)> {
        let (kind, tone, text) = words(seen)?;
        let of = seen.event.node().unwrap_or(&seen.by).clone();
        let about = self.0.entry(kind).or_default();
        let is_first = about.insert(of);
        match about.len() {
            _ if running <= TELL_ALL_MAX => Some((tone, text)),
            _ if !is_first => None,
            count if count <= TELL_KIND_MAX => Some((tone, text)),
            count if count == TELL_KIND_MAX + 1 => Some((Tone::Faint, "... and more like that".to_owned())),
            _ => None,
        }
    }

    /// A new step begins.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The kind of the event, and the event in words; `None` for what has no news value here.
fn words(seen: &Seen) -> Option<(&'static str, Tone, String)> {
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
        E::NodeLeft { node } => ("left", Tone::Gone, format!("{by} sees {} leave", node.id)),
        E::HealthCheckFailed { id, phi, silence, .. } => {
            let silence = silence.as_secs_f64();
            ("silent", Tone::Faint, format!("{by} misses {id}: silent for {silence:.1} s (phi {phi:.1})"))
        }
        E::HealthCheckRecovered { id, .. } => ("heard", Tone::Faint, format!("{by} hears from {id} again")),
        E::Broadcast { from, payload } => {
            let text = printable(&String::from_utf8_lossy(payload));
            ("broadcast", Tone::Plain, format!("{by} reads \"{text}\" from {from}"))
        }
        E::EventsDropped { count } => {
            ("dropped", Tone::Warning, format!("{by} was too slow and lost {count} events"))
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

    fn failed(by: &str, of: &str) -> Seen {
        let id = |name: &str| NodeId::new(name).unwrap();
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let node = Arc::new(NodeStatus::alive(id(of), addr, Incarnation::new(1), Tags::empty()));
        let cause = Cause::by(id("a"), Reason::Reported);
        Seen { at: Instant::now(), by: id(by), event: ClusterEvent::NodeFailed { node, cause } }
    }

    #[test]
    fn a_small_group_is_told_whole_and_of_a_large_one_the_first() {
        let tell = |running| {
            let mut told = Told::default();
            ["a", "b"].map(|by| told.line(&failed(by, "c"), running).map(|(_, text)| text))
        };
        let a = Some("a declares c failed: reported; accused by a".to_owned());
        let b = Some("b declares c failed: reported; accused by a".to_owned());
        assert_eq!(tell(TELL_ALL_MAX), [a.clone(), b]);
        assert_eq!(tell(TELL_ALL_MAX + 1), [a, None]);
    }

    #[test]
    fn in_a_large_group_one_kind_is_told_a_few_times_and_then_no_more_in_the_same_step() {
        let mut told = Told::default();
        let mut tell = |of: usize| told.line(&failed("a", &format!("n{of}")), 64).map(|(_, text)| text);
        let lines: Vec<String> = (0..20).filter_map(&mut tell).collect();
        assert_eq!(lines.len(), TELL_KIND_MAX + 1);
        assert_eq!(lines[TELL_KIND_MAX], "... and more like that");
        told.clear();
        assert!(told.line(&failed("a", "n0"), 64).is_some());
    }
}
