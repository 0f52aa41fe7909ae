//! How the dialler of a connection says what it is for: by the name that it asks for in the handshake (SNI), so that it
//! costs nothing and both sides know from the first byte on. Which certificate is shown and expected does not depend on it.

use crate::identity::PeerName;
use crate::pool::Lane;

/// Stands before the node's name in a dial for streams. No node's own name can be meant: that has one label less.
const STREAMS: &str = "streams.";

/// The name to ask for.
pub(super) fn asked_for(lane: Lane, node: &PeerName) -> String {
    if lane.is_streams() { format!("{STREAMS}{node}") } else { node.to_string() }
}

/// What a connection is for whose dialler asked the node `own` for this name.
pub(super) fn of(asked_for: &str, own: &PeerName) -> Lane {
    let streams = asked_for.strip_prefix(STREAMS).is_some_and(|name| name == own.to_string());
    if streams { Lane::StreamsIn } else { Lane::Requests }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{ClusterId, NodeId};

    use super::*;

    #[test]
    fn the_lane_is_read_from_the_name_also_on_a_node_named_streams() {
        for node in ["b", "streams"] {
            let name = PeerName::new(NodeId::new(node).unwrap(), ClusterId::new("c").unwrap());
            assert_eq!(of(&asked_for(Lane::Requests, &name), &name), Lane::Requests);
            assert_eq!(of(&asked_for(Lane::StreamsOut, &name), &name), Lane::StreamsIn);
            assert_eq!(of("c.kinfolk", &name), Lane::Requests, "a dial without a name");
        }
    }
}
