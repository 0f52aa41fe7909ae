//! Whose round trip is taken next: each peer with a connection in its turn.

use std::collections::VecDeque;

use kinfolk_core::NodeId;

/// The peers whose turn is still to come.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: VecDeque<NodeId>,
}

impl Turns {
    /// The next peer for which `measured` has something, with that. When all have had their turn,
    /// the next round begins with `peers`; at most one round begins.
    pub(super) fn next<T>(
        &mut self,
        peers: impl FnOnce() -> Vec<NodeId>,
        measured: impl Fn(&NodeId) -> Option<T>,
    ) -> Option<(NodeId, T)> {
        let in_turn = |waiting: &mut VecDeque<NodeId>| {
            while let Some(peer) = waiting.pop_front() {
                if let Some(found) = measured(&peer) {
                    return Some((peer, found));
                }
            }
            None
        };
        in_turn(&mut self.waiting).or_else(|| {
            self.waiting = peers().into();
            in_turn(&mut self.waiting)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<NodeId> {
        names.iter().map(|name| NodeId::new(name).unwrap()).collect()
    }

    #[test]
    fn peers_have_their_turn_one_after_the_other() {
        let mut turns = Turns::default();
        let mut next = || turns.next(|| ids(&["a", "b", "c"]), |_| Some(())).unwrap().0;
        let found: Vec<NodeId> = (0..7).map(|_| next()).collect();
        assert_eq!(found, ids(&["a", "b", "c", "a", "b", "c", "a"]));
    }

    #[test]
    fn peer_without_a_measurement_loses_its_turn() {
        let mut turns = Turns::default();
        let measured = |id: &NodeId| (id.as_str() != "b").then_some(id.as_str().len());
        let mut next = |peers: &[&str]| turns.next(|| ids(peers), measured);
        assert_eq!(next(&["a", "b", "c"]), Some((ids(&["a"])[0].clone(), 1)));
        assert_eq!(next(&["d"]), Some((ids(&["c"])[0].clone(), 1)));
        assert_eq!(next(&["d"]), Some((ids(&["d"])[0].clone(), 1)), "the new round has the new peers");
        assert_eq!((next(&["b"]), next(&[])), (None, None));
    }
}
