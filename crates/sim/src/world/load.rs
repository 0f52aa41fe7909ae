//! Work that takes time: letters wait for a connection and for the receiver's CPU, handshakes for both CPUs.

use std::time::Duration;

use kinfolk_core::{Instant, Window};
use kinfolk_swim::Dial;

use super::{Arrival, Happening, NodeIndex, World};
use crate::load::{DIALLED_WITHIN, Load, LoadConfig, Pair, Route};
use crate::network::Fate;
use crate::node::Asker;
use crate::world::Letter;

/// After what time a first packet is sent again; then after twice that.
const SENT_AGAIN_AFTER: Duration = Duration::from_millis(150);

/// A step of a handshake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shake {
    pair: Pair,
    by: NodeIndex,
    number: u64,
    /// How often its first packet was sent again.
    again: u32,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The dialler's first packet has come to the other end.
    Asked,
    /// The other end's answer has come back.
    Answered,
    /// The dialler is done with it.
    Done,
    /// It has been at work for so long that the next one may begin.
    Rests,
    /// The dialler gives up.
    GivenUp,
}

impl World {
    /// From now on work costs CPU, and messages need connections. There are none yet.
    pub fn bear_load(&mut self, config: LoadConfig) {
        self.load = Some(Box::new(Load::new(config, self.nodes.len())));
    }

    /// From now on each host has so many cores.
    pub fn set_cores(&mut self, cores: f64) {
        if let Some(load) = &mut self.load {
            load.set_cores(cores);
        }
    }

    /// All connections are gone.
    pub fn lose_connections(&mut self) {
        if let Some(load) = &mut self.load {
            load.lose_connections();
        }
    }

    /// How many handshakes came through, counted at one end, and how many were begun.
    pub fn handshakes(&self) -> (u64, u64) {
        self.load.as_ref().map_or((0, 0), |load| (load.handshakes(), load.dials()))
    }

    /// Sends a letter over a connection, as soon as there is one; gives it back if it can go now.
    pub(super) fn over_connection(&mut self, from: NodeIndex, letter: Letter) -> Option<Letter> {
        let Some(load) = &mut self.load else { return Some(letter) };
        let (to, dial) = (letter.to, letter.dial);
        match load.route(from, to, letter, dial) {
            Route::Open(letter) => return Some(letter),
            Route::Waits => self.dial(from),
            Route::Dropped => self.trace.line(self.now, Some(from), "lost", "there is no connection"),
        }
        None
    }

    /// When a node has time for what has come; `None` if it is lost.
    pub(super) fn handled_at(&mut self, node: NodeIndex, arrival: &Arrival) -> Option<Instant> {
        let now = self.now;
        let Some(load) = &mut self.load else { return Some(now) };
        match arrival {
            Arrival::Message { from, .. } | Arrival::Reply { from, .. } => {
                load.hears(node, *from, now);
                load.receive(node, now)
            }
            _ => Some(load.free_at(node).max(now)),
        }
    }

    fn dial(&mut self, by: NodeIndex) {
        let now = self.now;
        while let Some((pair, number)) = self.load.as_mut().and_then(|load| load.next_dial(by, now)) {
            let shake = |step| Happening::Shakes(Shake { pair, by, number, again: 0, step });
            self.schedule(now + Window::LATE, shake(Step::Rests));
            self.schedule(now + DIALLED_WITHIN, shake(Step::GivenUp));
            self.shake_over(by, Shake { pair, by, number, again: 0, step: Step::Asked }, now);
        }
    }

    /// A packet of a handshake goes out at `at`.
    fn shake_over(&mut self, from: NodeIndex, shake: Shake, at: Instant) {
        let to = if from == shake.pair.0 { shake.pair.1 } else { shake.pair.0 };
        if let Fate::Arrives(delay) | Fate::Twice(delay, _) = self.network.fate(from, to, false) {
            self.schedule(at + delay, Happening::Shakes(shake));
        }
    }

    pub(super) fn shakes(&mut self, shake: Shake) {
        let Shake { pair, by, number, again, step } = shake;
        let other = if by == pair.0 { pair.1 } else { pair.0 };
        let (now, runs) = (self.now, |world: &Self, node: NodeIndex| world.truth.node(node).running);
        let (by_runs, other_runs) = (runs(self, by), runs(self, other));
        let Some(load) = &mut self.load else { return };
        match step {
            // QUIC sends it again after three times the assumed round trip, then after twice that, and so on.
            Step::Asked if other_runs && !load.admits(other, number, now) => {
                if load.is_wanted(pair, number) {
                    let retry = Shake { again: again + 1, ..shake };
                    self.schedule(now + SENT_AGAIN_AFTER * (1 << again.min(6)), Happening::Shakes(retry));
                }
            }
            Step::Asked if other_runs => {
                let done = load.shake(other, now);
                self.shake_over(other, Shake { step: Step::Answered, ..shake }, done);
            }
            Step::Answered if by_runs => {
                let done = load.shake(by, now);
                self.schedule(done, Happening::Shakes(Shake { step: Step::Done, ..shake }));
            }
            Step::Asked | Step::Answered => {}
            Step::Done => {
                for (from, letter) in load.connected(by, pair, number, now) {
                    self.deliver(from, letter);
                }
                self.dial(by);
            }
            Step::Rests => {
                load.rest(by, number);
                self.dial(by);
            }
            Step::GivenUp => {
                for (from, letter) in load.give_up_dial(by, pair, number) {
                    // Who waits for an answer is told at once.
                    if let Arrival::Message { reply_to: Some(asked), .. } = letter.arrival {
                        self.deadline(from, Asker::of(asked).request);
                    }
                }
                self.dial(by);
            }
        }
    }

    /// How late the machine of a node is.
    pub(super) fn lateness(&self, node: NodeIndex) -> Duration {
        let of = &self.nodes[node.0];
        let now = of.clock.shows(self.now);
        of.process.as_ref().map_or(Duration::ZERO, |process| process.machine.lateness(now))
    }
}

impl Letter {
    /// What a reply is worth: it goes back over the connection that the question came on.
    pub(super) const REPLY: Dial = Dial::Never;
}
