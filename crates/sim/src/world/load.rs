//! Work that takes time: messages wait for a connection and for the receiver's CPU, and handshakes
//! wait for both CPUs.

use std::time::Duration;

use kinfolk_core::{Instant, Window};
use kinfolk_swim::Dial;

use super::{Arrival, NodeIndex, SimEvent, World};
use crate::load::{DIALLED_WITHIN, Load, LoadConfig, Pair, Route};
use crate::network::Fate;
use crate::node::Requester;
use crate::world::Outgoing;

/// The first packet of a handshake is sent again after this time, and then after twice the previous
/// time.
const RETRY_AFTER: Duration = Duration::from_millis(150);

/// A step of a handshake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handshake {
    pair: Pair,
    by: NodeIndex,
    number: u64,
    /// How often the first packet was sent again.
    again: u32,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The dialling node's first packet arrived at the other end.
    Request,
    /// The other end's reply arrived.
    Reply,
    /// The dialling node has finished its part.
    Done,
    /// The handshake has taken so long that it gives up its place in the window, and the next dial
    /// may start.
    LeavesWindow,
    /// The dialling node gives up.
    GivenUp,
}

impl World {
    /// From now on work costs CPU, and messages need connections. No connection exists at first.
    pub fn set_load(&mut self, config: LoadConfig) {
        self.load = Some(Box::new(Load::new(config, self.nodes.len())));
    }

    /// Sets the cores of each host.
    pub fn set_cores(&mut self, cores: f64) {
        if let Some(load) = &mut self.load {
            load.set_cores(cores);
        }
    }

    /// Removes all connections.
    pub fn lose_connections(&mut self) {
        if let Some(load) = &mut self.load {
            load.lose_connections();
        }
    }

    /// The number of completed handshakes, counted at one end, and the number of started dials.
    pub fn handshakes(&self) -> (u64, u64) {
        self.load.as_ref().map_or((0, 0), |load| (load.handshakes(), load.dials()))
    }

    /// Sends a message over a connection as soon as there is one. Returns it if it can go out now.
    pub(super) fn over_connection(&mut self, from: NodeIndex, outgoing: Outgoing) -> Option<Outgoing> {
        let Some(load) = &mut self.load else { return Some(outgoing) };
        let (to, dial) = (outgoing.to, outgoing.dial);
        match load.route(from, to, outgoing, dial) {
            Route::Open(outgoing) => return Some(outgoing),
            Route::Waits => self.dial(from),
            Route::Dropped => self.trace.line(self.now, Some(from), "lost", "there is no connection"),
        }
        None
    }

    /// When the node's CPU handles what arrived; `None` if it is lost.
    pub(super) fn handled_at(&mut self, node: NodeIndex, arrival: &Arrival) -> Option<Instant> {
        let now = self.now;
        let Some(load) = &mut self.load else { return Some(now) };
        match arrival {
            Arrival::Message { from, .. } | Arrival::Reply { from, .. } => {
                // Counts as received even if the CPU drops it: the packet itself arrived.
                load.received(node, *from, now);
                load.receive(node, now)
            }
            _ => Some(load.free_at(node).max(now)),
        }
    }

    fn dial(&mut self, by: NodeIndex) {
        let now = self.now;
        while let Some((pair, number)) = self.load.as_mut().and_then(|load| load.next_dial(by, now)) {
            let handshake = |step| SimEvent::Handshake(Handshake { pair, by, number, again: 0, step });
            // Each dial gives up its place in the window after this time, even if it succeeds
            // later.
            self.schedule(now + Window::LATE, handshake(Step::LeavesWindow));
            self.schedule(now + DIALLED_WITHIN, handshake(Step::GivenUp));
            self.send_handshake(by, Handshake { pair, by, number, again: 0, step: Step::Request }, now);
        }
    }

    /// Sends a packet of a handshake at `at`.
    fn send_handshake(&mut self, from: NodeIndex, handshake: Handshake, at: Instant) {
        let to = if from == handshake.pair.0 { handshake.pair.1 } else { handshake.pair.0 };
        if let Fate::Arrives(delay) | Fate::Twice(delay, _) = self.network.fate(from, to, false) {
            self.schedule(at + delay, SimEvent::Handshake(handshake));
        }
    }

    pub(super) fn handshake_step(&mut self, handshake: Handshake) {
        let Handshake { pair, by, number, again, step } = handshake;
        let other = if by == pair.0 { pair.1 } else { pair.0 };
        let (now, runs) = (self.now, |world: &Self, node: NodeIndex| world.truth.node(node).running);
        let (by_runs, other_runs) = (runs(self, by), runs(self, other));
        let Some(load) = &mut self.load else { return };
        match step {
            // QUIC sends the packet again after three times the assumed round trip, then after
            // twice that, and so on.
            Step::Request if other_runs && !load.admits(other, number, now) => {
                if load.is_wanted(pair, number) {
                    let retry = Handshake { again: again + 1, ..handshake };
                    self.schedule(now + RETRY_AFTER * (1 << again.min(6)), SimEvent::Handshake(retry));
                }
            }
            Step::Request if other_runs => {
                let done = load.handshake_work(other, now);
                self.send_handshake(other, Handshake { step: Step::Reply, ..handshake }, done);
            }
            Step::Reply if by_runs => {
                let done = load.handshake_work(by, now);
                self.schedule(done, SimEvent::Handshake(Handshake { step: Step::Done, ..handshake }));
            }
            Step::Request | Step::Reply => {}
            Step::Done => {
                for (from, outgoing) in load.connected(by, pair, number, now) {
                    self.deliver(from, outgoing);
                }
                self.dial(by);
            }
            Step::LeavesWindow => {
                load.leave_window(by, number);
                self.dial(by);
            }
            Step::GivenUp => {
                for (from, outgoing) in load.give_up_dial(by, pair, number) {
                    // A waiting request ends at once: no reply can come.
                    if let Arrival::Message { reply_to: Some(reply_to), .. } = outgoing.arrival {
                        self.deadline(from, Requester::of(reply_to).request);
                    }
                }
                self.dial(by);
            }
        }
    }

    /// The current lateness of a node's machine.
    pub(super) fn lateness(&self, node: NodeIndex) -> Duration {
        let of = &self.nodes[node.0];
        let now = of.clock.shows(self.now);
        of.process.as_ref().map_or(Duration::ZERO, |process| process.machine.lateness(now))
    }
}

impl Outgoing {
    /// A reply never dials: it uses the connection of the request.
    pub(super) const REPLY: Dial = Dial::Never;
}
