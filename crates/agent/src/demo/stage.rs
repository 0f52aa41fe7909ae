//! Where the story is told: it takes in what the members see, tells it, keeps count, and waits for what a step needs.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::awaited::Awaited;
use super::nodes::{Nodes, Seen};
use super::screen::Screen;
use super::summary::seconds;
use super::told::Told;
use super::views::{self, View};
use crate::exit::{Failure, Status};
use crate::render::{Tone, wrap};

/// How often a live table is drawn anew, and conditions are looked at again.
const TICK: Duration = Duration::from_millis(50);
/// How often a wait says where no table is drawn how far it has got.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// How wide an explanation is, so that with its indent it fits into 80 columns.
const ABOUT_WIDTH: usize = 75;
/// How many of those that are missing a failure names.
const NAMED_MAX: usize = 4;

/// The members, the screen, and what has happened so far.
pub(super) struct Stage {
    pub(super) nodes: Nodes,
    pub(super) screen: Screen,
    pub(super) names: Vec<NodeId>,
    pub(super) began: Instant,
    pub(super) tally: Tally,
    /// Those whose failure is no false one.
    pub(super) crashed: BTreeSet<NodeId>,
    events: mpsc::Receiver<Seen>,
    told: Told,
    step: Step,
}

/// A wait, and when it last said how far it has got.
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

/// What nobody wanted to see, counted over the whole story.
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

impl Stage {
    pub(super) fn open(count: usize, json: bool) -> Result<Self, Failure> {
        let (nodes, events) = Nodes::new(count)?;
        let (names, screen) = (nodes.names(), Screen::new(json));
        let (tally, crashed, told, step) = Default::default();
        Ok(Self { nodes, screen, names, began: Instant::now(), tally, crashed, events, told, step })
    }

    /// Begins the next step, with a heading and what there is to understand about it.
    pub(super) fn begin(&mut self, name: &'static str, title: &str, about: &str) -> Result<(), Failure> {
        self.catch_up()?;
        self.step = Step { number: self.step.number + 1, name };
        self.told.clear();
        self.screen.toned(Tone::Strong, &format!("\n{}  {title}", self.step.number))?;
        for line in wrap(about, ABOUT_WIDTH) {
            self.screen.toned(Tone::Faint, &format!("   {line}"))?;
        }
        Ok(())
    }

    /// Tells what the story itself does.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        let at = Instant::now();
        let at_s = seconds(at - self.began);
        self.screen.object(&Line::Step { at_s, step: self.step.name, text })?;
        self.timed(at, Tone::Plain, text)
    }

    /// Ends a step with the table of how all see all.
    pub(super) fn show_views(&mut self) -> Result<(), Failure> {
        self.screen.draw("")?;
        self.screen.text(&format!("\n{}", self.views().trim_end()))
    }

    /// Waits until all that is awaited has been seen.
    ///
    /// # Errors
    /// The step failed: `limit` is over, and what is missing is named.
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
                return Err(self.failed(&format!(
                    "{what}: {have} of {all} after {limit:?}; {}",
                    self.missing(&awaited)
                )));
            }
            self.report(&format!("{what}: {have} of {all}"), &mut waiting)?;
            self.tick(Some(&mut awaited)).await?;
        }
        self.catch_up()?;
        self.screen.draw("")?;
        Ok(awaited)
    }

    /// Waits until a condition holds, and says whether it did within `limit`. `what` says how far
    /// it has got.
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

    /// The failure of the present step.
    pub(super) fn failed(&self, why: &str) -> Failure {
        let Step { number, name } = self.step;
        Failure::new(Status::Failed, format_args!("step {number} of the demo ({name}) did not happen: {why}"))
    }

    /// The story ends early.
    pub(super) fn close(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.screen.draw("")?;
        let at_s = seconds(self.began.elapsed());
        self.screen.object(&Line::StepFailed { at_s, step: self.step.name, why: failure.to_string() })
    }

    /// Takes in what is seen until the next tick, or until `awaited` is complete.
    async fn tick(&mut self, mut awaited: Option<&mut Awaited>) -> Result<(), Failure> {
        let tick = Instant::now() + TICK;
        while let Ok(seen) = timeout_at(tick, self.events.recv()).await {
            let seen = seen.expect("the nodes hold a sender");
            self.take(&seen, awaited.as_deref_mut())?;
            if awaited.as_deref().is_some_and(Awaited::is_complete) {
                break;
            }
        }
        Ok(())
    }

    /// Takes in what has been seen already, so that it is told before what comes now. Not between the cause of something
    /// awaited and the wait for it: it would be missed.
    fn catch_up(&mut self) -> Result<(), Failure> {
        while let Ok(seen) = self.events.try_recv() {
            self.take(&seen, None)?;
        }
        Ok(())
    }

    /// One thing that a member saw.
    fn take(&mut self, seen: &Seen, awaited: Option<&mut Awaited>) -> Result<(), Failure> {
        // What a member still saw before it was stopped is no part of the story.
        if self.nodes.get(&seen.by).is_none() {
            return Ok(());
        }
        let at_s = seconds(seen.at.saturating_duration_since(self.began));
        self.screen.object(&EventLine { event: &seen.event, at_s, seen_by: &seen.by })?;
        self.count(&seen.event);
        if let Some((tone, text)) = self.told.line(seen, self.nodes.running().count()) {
            self.timed(seen.at, tone, &text)?;
        }
        if let Some(awaited) = awaited {
            awaited.note(seen);
        }
        Ok(())
    }

    fn count(&mut self, event: &ClusterEvent) {
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

    /// The live table, and below it what is being waited for. Says what is waited for and how far
    /// that has got: on a terminal below the table, which is drawn again; else in a line of its own
    /// every [`REPORT_INTERVAL`].
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
    use super::super::awaited::Sight;
    use super::*;

    #[tokio::test]
    async fn a_step_that_does_not_happen_says_where_it_stood() {
        let mut stage = Stage::open(7, true).unwrap();
        stage.begin("crash", "node-3 crashes", "").unwrap();
        let pairs = stage.names.iter().map(|by| (by.clone(), stage.names[2].clone()));
        let awaited = Awaited::new(Sight::Failed, Instant::now(), pairs);
        let ended = stage.wait(awaited, "members know", Duration::ZERO).await;
        let expected = "step 1 of the demo (crash) did not happen: members know: 0 of 6 after 0ns; \
                        node-1 has not (it sees node-3 as unknown), node-2 has not (it sees node-3 as unknown), \
                        node-4 has not (it sees node-3 as unknown), node-5 has not (it sees node-3 as unknown) \
                        and 2 more";
        assert_eq!(ended.err().unwrap().to_string(), expected);
    }
}
