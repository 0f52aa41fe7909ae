//! The dialler tells the peer the lane of a connection by the server name in the handshake (SNI).
//!
//! That costs no round trip, and both nodes know the lane from the first byte on. The server name
//! does not change which certificate a node sends or expects.

use crate::identity::PeerName;
use crate::pool::Lane;

/// The prefix of the server name in a dial for streams. It cannot be part of a node's own name: a
/// node's name has one label less.
const STREAMS: &str = "streams.";

/// The server name to send when dialling `node`.
pub(super) fn server_name(lane: Lane, node: &PeerName) -> String {
    if lane.is_streams() { format!("{STREAMS}{node}") } else { node.to_string() }
}

/// The lane of an inbound connection to the node `own`, from the dialler's server name.
pub(super) fn lane_of(server_name: &str, own: &PeerName) -> Lane {
    let streams = server_name.strip_prefix(STREAMS).is_some_and(|name| name == own.to_string());
    if streams { Lane::StreamsIn } else { Lane::Requests }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{ClusterId, NodeId};

    use super::*;

    /// Also on a node that is named `streams`, like the prefix.
    #[test]
    fn server_name_round_trips_to_its_lane() {
        for node in ["b", "streams"] {
            let name = PeerName::new(NodeId::new(node).unwrap(), ClusterId::new("c").unwrap());
            assert_eq!(lane_of(&server_name(Lane::Requests, &name), &name), Lane::Requests);
            assert_eq!(lane_of(&server_name(Lane::StreamsOut, &name), &name), Lane::StreamsIn);
            assert_eq!(lane_of("c.kinfolk", &name), Lane::Requests, "a dial without a name");
        }
    }
}
