//! How each of QUIC's errors maps to the end of a dial and to the end of a connection.

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

/// The duration of each dial.
const TOOK: Duration = Duration::from_millis(700);

fn dial(error: Error) -> DialError {
    dial_error(error, None, TOOK)
}

/// The peer's QUIC closed the connection with this code.
fn of_peer(code: u32) -> Error {
    ConnectionClose { error_code: VarInt::from_u32(code), frame_type: Some(VarInt::ZERO), reason: None }
        .into()
}

/// The peer's program closed the connection.
fn of_program(code: CloseCode) -> Error {
    ConnectionClose { error_code: VarInt::from_u32(code as u32), frame_type: None, reason: None }.into()
}

#[test]
fn time_outs_map_to_silence() {
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
fn local_close_maps_to_local() {
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
fn program_fault_maps_to_other() {
    for error in [Error::invalid_configuration("bad"), Error::stream_id_exhausted()] {
        assert!(matches!(dial(error), DialError::Other { .. }), "{error}");
        assert!(matches!(ending(error), Ending::Local { .. }), "{error}");
    }
}

#[test]
fn stateless_reset_maps_to_restarted() {
    assert_eq!(dial(Error::stateless_reset()), DialError::Restarted);
    assert_eq!(ending(Error::stateless_reset()), Ending::Restarted);
}

#[test]
fn broken_handshake_is_not_silence() {
    // PROTOCOL_VIOLATION (RFC 9000, section 20.1), found by the peer and by this node.
    let found_here = Error::from(transport::Error::PROTOCOL_VIOLATION);
    for error in [of_peer(0xa), found_here] {
        assert!(matches!(dial(error), DialError::Protocol { .. }), "{error}");
    }
    // CONNECTION_REFUSED, and NO_ERROR, which gives no reason.
    assert_eq!(dial(of_peer(0x2)), DialError::Busy);
    assert!(matches!(dial(of_peer(0x0)), DialError::RefusedByPeer { .. }));
}

#[test]
fn close_code_decides_the_ending() {
    assert_eq!(ending(of_program(CloseCode::Leave)), Ending::Left);
    assert_eq!(ending(of_program(CloseCode::Stopped)), Ending::Stopped);
    for code in [CloseCode::Unused, CloseCode::Superseded, CloseCode::Unresponsive] {
        assert!(matches!(ending(of_program(code)), Ending::Unused { .. }), "{code:?}");
    }
    for code in [CloseCode::WrongPeer, CloseCode::OwnName, CloseCode::BadName, CloseCode::Revoked] {
        assert!(matches!(ending(of_program(code)), Ending::Refused { .. }), "{code:?}");
    }
    for code in [CloseCode::Overdue, CloseCode::NoRoom] {
        assert!(matches!(ending(of_program(code)), Ending::ByPeer { .. }), "{code:?}");
    }
    assert!(matches!(ending(of_peer(0xa)), Ending::ByPeer { .. }));
}

/// Each node learns whose certificate it was.
#[test]
fn end_of_a_certificate_names_its_owner() {
    assert_eq!(ending(of_program(CloseCode::Expired)), Ending::CertificateExpired);
    let own = Error::application(CloseCode::Expired.into());
    assert_eq!(ending(own), Ending::PeerCertificateExpired);
}
