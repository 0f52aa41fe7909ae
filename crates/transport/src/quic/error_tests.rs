//! Each of QUIC's errors, as the end of a dial and as the end of a connection.

use std::time::Duration;

use s2n_quic::connection::Error;
use s2n_quic_core::endpoint::Location;
use s2n_quic_core::frame::ConnectionClose;
use s2n_quic_core::transport;
use s2n_quic_core::varint::VarInt;

use super::code::CloseCode;
use super::outcome::ending;
use super::refusal::dial_error;
use crate::pool::DialError;
use crate::request::Ending;

/// How long each of the dials took.
const TOOK: Duration = Duration::from_millis(700);

fn dial(error: Error) -> DialError {
    dial_error(error, None, TOOK)
}

/// The peer's QUIC ended the connection with this code.
fn of_peer(code: u32) -> Error {
    ConnectionClose { error_code: VarInt::from_u32(code), frame_type: Some(VarInt::ZERO), reason: None }
        .into()
}

/// The peer's program ended the connection.
fn of_program(code: CloseCode) -> Error {
    ConnectionClose { error_code: VarInt::from_u32(code as u32), frame_type: None, reason: None }.into()
}

#[test]
fn silence_is_silence() {
    let lasted = Duration::from_secs(2);
    assert_eq!(dial(Error::max_handshake_duration_exceeded(lasted)), DialError::Silent { after: lasted });
    for error in
        [Error::idle_timer_expired(), Error::no_valid_path(), Error::immediate_close("repeated too often")]
    {
        assert_eq!(dial(error), DialError::Silent { after: TOOK }, "{error}");
        assert_eq!(ending(error), Ending::Silence, "{error}");
    }
}

#[test]
fn what_this_node_ends_is_its_own_doing() {
    let own = [
        Error::closed(Location::Local),
        Error::application(CloseCode::Leave.into()),
        Error::endpoint_closing(),
        Error::unspecified(),
    ];
    for error in own {
        assert_eq!(dial(error), DialError::Stopped, "{error}");
        assert!(matches!(ending(error), Ending::Local { .. }), "{error}");
    }
}

#[test]
fn a_fault_of_this_program_is_told_apart() {
    for error in [Error::invalid_configuration("bad"), Error::stream_id_exhausted()] {
        assert!(matches!(dial(error), DialError::Other { .. }), "{error}");
        assert!(matches!(ending(error), Ending::Local { .. }), "{error}");
    }
}

#[test]
fn a_peer_that_started_again_is_told_apart() {
    assert_eq!(dial(Error::stateless_reset()), DialError::Restarted);
    assert_eq!(ending(Error::stateless_reset()), Ending::Restarted);
}

#[test]
fn a_handshake_that_breaks_off_is_not_silence() {
    // PROTOCOL_VIOLATION (RFC 9000, section 20.1), found by the peer and here.
    let found_here = Error::from(transport::Error::PROTOCOL_VIOLATION);
    for error in [of_peer(0xa), found_here] {
        assert!(matches!(dial(error), DialError::Protocol { .. }), "{error}");
    }
    // CONNECTION_REFUSED, and an end without a reason.
    assert_eq!(dial(of_peer(0x2)), DialError::Busy);
    assert!(matches!(dial(of_peer(0x0)), DialError::RefusedByPeer { .. }));
}

#[test]
fn the_peers_reason_for_an_end_is_kept() {
    assert_eq!(ending(of_program(CloseCode::Leave)), Ending::Left);
    assert_eq!(ending(of_program(CloseCode::Stopped)), Ending::Stopped);
    for code in [CloseCode::Unused, CloseCode::Superseded, CloseCode::Doubtful] {
        assert!(matches!(ending(of_program(code)), Ending::Unused { .. }), "{code:?}");
    }
    for code in [CloseCode::WrongPeer, CloseCode::OwnName, CloseCode::BadName] {
        assert!(matches!(ending(of_program(code)), Ending::Refused { .. }), "{code:?}");
    }
    for code in [CloseCode::Overdue, CloseCode::NoRoom] {
        assert!(matches!(ending(of_program(code)), Ending::ByPeer { .. }), "{code:?}");
    }
    assert!(matches!(ending(of_peer(0xa)), Ending::ByPeer { .. }));
}
