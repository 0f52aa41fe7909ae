//! Runs the steps of the demo: receives the events of the members, prints and counts them, and
//! waits for the events that a step needs.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::awaited::Awaited;
use super::event_lines::EventLines;
use super::nodes::{Nodes, Observation};
use super::screen::Screen;
use super::summary::seconds;
use super::views::{self, View};
use crate::exit::{Failure, Status};
use crate::render::{Tone, wrap};

/// How often a live table is drawn again and a condition is checked again.
const TICK: Duration = Duration::from_millis(50);
/// How often a wait prints its progress where no table is drawn.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// The width of an explanation: with its indent of 3 it fits into 80 columns.
const ABOUT_WIDTH: usize = 75;
/// The number of missing events that a failure names.
const NAMED_MAX: usize = 4;

/// The members, the screen, and what has happened so far.
pub(super) struct Runner {
    pub(super) nodes: Nodes,
    pub(super) screen: Screen,
    pub(super) names: Vec<NodeId>,
    pub(super) began: Instant,
    pub(super) tally: Tally,
    /// The members that have crashed on purpose: their failure is not a false one.
    pub(super) crashed: BTreeSet<NodeId>,
    events: mpsc::Receiver<Observation>,
    lines: EventLines,
    step: Step,
}

/// A wait, with its start and the time of its last progress line.
struct Waiting {
    since: Instant,
    reported: Instant,
}

impl Waiting {
    fn begin() -> Self {
        let now = Instant::now();
        Self { since: now, reported: now }
    }
}

/// Unwanted events, counted over the whole demo.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) false_failures: u64,
    pub(super) false_suspicions: u64,
    pub(super) events_lost: u64,
}

#[derive(Default, Clone, Copy)]
struct Step {
    number: u32,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Step { at_s: f64, step: &'static str, text: &'a str },
    Progress { at_s: f64, step: &'static str, text: &'a str },
    StepFailed { at_s: f64, step: &'static str, why: String },
}

#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    event: &'a ClusterEvent,
    at_s: f64,
    seen_by: &'a NodeId,
}

impl Runner {
    pub(super) fn open(count: usize, json: bool) -> Result<Self, Failure> {
        let (nodes, events) = Nodes::new(count)?;
        let (names, screen) = (nodes.names(), Screen::new(json));
        let (tally, crashed, lines, step) = Default::default();
        Ok(Self { nodes, screen, names, began: Instant::now(), tally, crashed, events, lines, step })
    }

    /// Begins the next step: prints a heading, and an explanation of the step.
    pub(super) fn begin(&mut self, name: &'static str, title: &str, about: &str) -> Result<(), Failure> {
        // Print what belongs to the last step before the new heading.
        self.drain_events()?;
        self.step = Step { number: self.step.number + 1, name };
        self.lines.clear();
        self.screen.toned(Tone::Strong, &format!("\n{}  {title}", self.step.number))?;
        for line in wrap(about, ABOUT_WIDTH) {
            self.screen.toned(Tone::Faint, &format!("   {line}"))?;
        }
        Ok(())
    }

    /// Prints what the demo itself does.
    pub(super) fn announce(&mut self, text: &str) -> Result<(), Failure> {
        let at = Instant::now();
        let at_s = seconds(at - self.began);
        self.screen.object(&Line::Step { at_s, step: self.step.name, text })?;
        self.timed(at, Tone::Plain, text)
    }

    /// Ends a step with the table of all views.
    pub(super) fn show_views(&mut self) -> Result<(), Failure> {
        self.screen.draw("")?;
        self.screen.text(&format!("\n{}", self.views().trim_end()))
    }

    /// Waits until all awaited events have come.
    ///
    /// # Errors
    /// The events do not all come within `limit`. The failure names those that are missing.
    pub(super) async fn wait(
        &mut self,
        mut awaited: Awaited,
        what: &str,
        limit: Duration,
    ) -> Result<Awaited, Failure> {
        let mut waiting = Waiting::begin();
        while !awaited.is_complete() {
            let (have, all) = awaited.progress();
            if waiting.since.elapsed() > limit {
                // A step did not end in time. What to do: run the demo again when the machine has
                // more free CPU; if it repeats, report it with the output.
                return Err(self.failed(&format!(
                    "{what}: {have} of {all} after {limit:?}; {}",
                    self.missing(&awaited)
                )));
            }
            // A wait shows its progress, so that a slow machine does not look like a hang.
            self.report(&format!("{what}: {have} of {all}"), &mut waiting)?;
            self.tick(Some(&mut awaited)).await?;
        }
        // Print the events that came together with the last awaited one.
        self.drain_events()?;
        self.screen.draw("")?;
        Ok(awaited)
    }

    /// Waits until a condition holds. Returns whether it did within `limit`. `what` describes the
    /// progress.
    pub(super) async fn until(
        &mut self,
        holds: impl Fn(&Nodes) -> bool,
        what: impl Fn(&Nodes) -> String,
        limit: Duration,
    ) -> Result<bool, Failure> {
        let mut waiting = Waiting::begin();
        while !holds(&self.nodes) {
            if waiting.since.elapsed() > limit {
                return Ok(false);
            }
            self.report(&what(&self.nodes), &mut waiting)?;
            self.tick(None).await?;
        }
        self.screen.draw("")?;
        Ok(true)
    }

    /// The failure of the current step.
    pub(super) fn failed(&self, why: &str) -> Failure {
        let Step { number, name } = self.step;
        // Every failed step gets this prefix. What to do: see the text after the colon.
        Failure::new(Status::Failed, format_args!("step {number} of the demo ({name}) failed: {why}"))
    }

    /// Ends the demo early.
    pub(super) fn close(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.screen.draw("")?;
        let at_s = seconds(self.began.elapsed());
        self.screen.object(&Line::StepFailed { at_s, step: self.step.name, why: failure.to_string() })
    }

    /// Handles events until the next tick, or until `awaited` is complete.
    async fn tick(&mut self, mut awaited: Option<&mut Awaited>) -> Result<(), Failure> {
        let tick = Instant::now() + TICK;
        while let Ok(seen) = timeout_at(tick, self.events.recv()).await {
            let seen = seen.expect("the nodes hold a sender");
            self.handle(&seen, awaited.as_deref_mut())?;
            if awaited.as_deref().is_some_and(Awaited::is_complete) {
                break;
            }
        }
        Ok(())
    }

    /// Handles the events that have already arrived, so that they are printed before what comes
    /// now.
    ///
    /// Do not call it between the cause of an awaited event and the wait for it: the wait would
    /// miss the event.
    fn drain_events(&mut self) -> Result<(), Failure> {
        while let Ok(seen) = self.events.try_recv() {
            self.handle(&seen, None)?;
        }
        Ok(())
    }

    /// Handles one event: prints it, counts it, and records it for the wait.
    fn handle(&mut self, seen: &Observation, awaited: Option<&mut Awaited>) -> Result<(), Failure> {
        // Ignore events of a stopped member: it saw them before its stop.
        if self.nodes.get(&seen.by).is_none() {
            return Ok(());
        }
        let at_s = seconds(seen.at.saturating_duration_since(self.began));
        self.screen.object(&EventLine { event: &seen.event, at_s, seen_by: &seen.by })?;
        self.count(&seen.event);
        if let Some((tone, text)) = self.lines.line(seen, self.nodes.running().count()) {
            self.timed(seen.at, tone, &text)?;
        }
        if let Some(awaited) = awaited {
            awaited.note(seen);
        }
        Ok(())
    }

    fn count(&mut self, event: &ClusterEvent) {
        // Only a member that crashed on purpose may be suspected or declared failed.
        let is_false = |of: &NodeId| !self.crashed.contains(of);
        match event {
            ClusterEvent::NodeFailed { node, .. } => {
                self.tally.false_failures += u64::from(is_false(&node.id));
            }
            ClusterEvent::NodeSuspected { node, .. } => {
                self.tally.false_suspicions += u64::from(is_false(&node.id));
            }
            ClusterEvent::EventsDropped { count } => self.tally.events_lost += count,
            _ => {}
        }
    }

    fn timed(&mut self, at: Instant, tone: Tone, text: &str) -> Result<(), Failure> {
        let paint = self.screen.paint;
        let time = format!("{:>8.3} s", at.saturating_duration_since(self.began).as_secs_f64());
        self.screen.text(&format!("{}  {}", paint.tone(Tone::Faint, &time), paint.tone(tone, text)))
    }

    /// Shows what the current wait is for, and its progress. On a terminal it stands below a table
    /// that is drawn again. Elsewhere it is a line of its own every [`REPORT_INTERVAL`], because a
    /// pipe or a file keeps every line.
    fn report(&mut self, what: &str, waiting: &mut Waiting) -> Result<(), Failure> {
        if self.screen.is_live() {
            let text = format!("... {what} ({:.1} s)", waiting.since.elapsed().as_secs_f64());
            let block = format!("\n{}{}\n", self.views(), self.screen.paint.tone(Tone::Faint, &text));
            return self.screen.draw(&block);
        }
        if waiting.reported.elapsed() < REPORT_INTERVAL {
            return Ok(());
        }
        waiting.reported = Instant::now();
        let at_s = seconds(waiting.reported - self.began);
        self.screen.object(&Line::Progress { at_s, step: self.step.name, text: what })?;
        self.timed(waiting.reported, Tone::Faint, &format!("... {what}"))
    }

    fn views(&self) -> String {
        let view = |member: &kinfolk::Cluster| View { by: member.id().clone(), sees: member.members() };
        let views: Vec<View> = self.nodes.running().map(view).collect();
        let table = views::render(self.screen.paint, &self.names, &views);
        table.lines().flat_map(|line| ["   ", line, "\n"]).collect()
    }

    /// The missing events as text, with the current views of their observers.
    fn missing(&self, awaited: &Awaited) -> String {
        let state = |by: &NodeId, of: &NodeId| {
            let view = self.nodes.view(by);
            view.and_then(|view| view.get(of).map(|node| node.state.to_string()))
                .unwrap_or("unknown".to_owned())
        };
        let named: Vec<String> = awaited
            .missing()
            .take(NAMED_MAX)
            .map(|(by, of)| format!("{by} has not (it sees {of} as {})", state(by, of)))
            .collect();
        let more = awaited.missing().count() - named.len();
        named.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::awaited::EventKind;
    use super::*;

    #[tokio::test]
    async fn failed_step_names_the_missing_events() {
        let mut runner = Runner::open(7, true).unwrap();
        runner.begin("crash", "node-3 crashes", "").unwrap();
        let pairs = runner.names.iter().map(|by| (by.clone(), runner.names[2].clone()));
        let awaited = Awaited::new(EventKind::Failed, Instant::now(), pairs);
        let ended = runner.wait(awaited, "members know", Duration::ZERO).await;
        let expected = "step 1 of the demo (crash) failed: members know: 0 of 6 after 0ns; \
                        node-1 has not (it sees node-3 as unknown), node-2 has not (it sees node-3 as unknown), \
                        node-4 has not (it sees node-3 as unknown), node-5 has not (it sees node-3 as unknown) \
                        and 2 more";
        assert_eq!(ended.err().unwrap().to_string(), expected);
    }
}
