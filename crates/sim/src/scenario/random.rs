//! A random scenario: crashes, restarts, pauses, losses, and requests of applications, in any
//! order. It stays within what the protocol promises to tolerate: no pause or loss that makes a
//! false failure likely, and no long partition.

use std::time::Duration;

use kinfolk_core::Rng;

use super::{FORMED, REPAIR, Scenario, payload, tags};
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;

/// The number of steps.
const STEPS: u32 = 15;
/// The longest time between two steps.
const GAP_MAX: Duration = Duration::from_secs(8);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The highest loss.
const LOSS_MAX: f64 = 0.05;

impl Scenario {
    /// Adds the steps. Returns how long views may take to settle after the last one.
    pub(super) fn random(&mut self, rng: &mut Rng) -> Duration {
        // A message may be lost, and a node may be paused, while an update spreads. The next
        // exchange of views then repairs it.
        self.spread_within = REPAIR;
        self.crash_within += REPAIR;
        self.excuse = Some(REPAIR);
        self.network.duplication = 0.05;
        let mut up: Vec<_> = (0..self.nodes).map(NodeIndex).collect();
        let mut down = Vec::new();
        let mut now = FORMED;
        for number in 0..STEPS {
            now += GAP_MAX.mul_f64(rng.unit());
            // A shuffle before each step makes the first and the last node of the list random.
            rng.shuffle(&mut up);
            match rng.below(7) {
                // `up` never becomes empty: a node that restarts joins through its first node.
                0 if up.len() > 2 => {
                    if let Some(node) = up.pop() {
                        self.script.fault(now, Fault::Crash(node));
                        down.push(node);
                    }
                }
                1 if up.len() > 2 => {
                    if let Some(node) = up.pop() {
                        self.script.at(now, Step::Leave(node));
                    }
                }
                2 => {
                    if let Some(node) = down.pop() {
                        self.script.fault(now, Fault::Restart { node, via: up[0] });
                        up.push(node);
                        // Leave time for the join, so that no later step hits a node that has not
                        // joined.
                        now += GAP_MAX;
                    }
                }
                3 => {
                    self.script.fault(now, Fault::Pause(up[0]));
                    now += PAUSE_MAX.mul_f64(rng.unit());
                    self.script.fault(now, Fault::Resume(up[0]));
                }
                4 => {
                    self.script.fault(now, Fault::Loss(LOSS_MAX * rng.unit()));
                    now += GAP_MAX;
                    self.script.fault(now, Fault::Loss(0.0));
                }
                5 => self.script.at(now, Step::SetTags(up[0], tags(rng.below(2_500), number))),
                _ => self.script.at(now, Step::Broadcast(up[0], payload(number))),
            }
        }
        // Request to forget one of the nodes that are still down, after all know of its crash.
        if let Some(of) = down.pop() {
            self.script.at(now + self.crash_within, Step::Forget { node: up[0], of });
        }
        self.crash_within + REPAIR
    }
}
