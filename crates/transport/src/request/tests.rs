//! Each error of a request, and the evidence that it gives.

use Evidence::{Answered, Departed, Local, Refused, Restarted, Silent};

use super::*;

fn target() -> Target {
    let addr: std::net::SocketAddr = "127.0.0.1:7946".parse().unwrap();
    Target { id: None, addr: addr.into() }
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn assert_all(cases: impl IntoIterator<Item = (RequestError, Evidence)>) {
    for (error, evidence) in cases {
        assert_eq!(error.evidence(), evidence, "{error:?}");
    }
}

#[test]
fn limits_of_this_node_are_local() {
    let too_large = FrameError::TooLarge { len: 2, max: 1 };
    assert_all([
        (RequestError::PoolFull { peer: target(), current: 1, max: 1 }, Local),
        (RequestError::QueueFull { peer: target(), waiting: 1, max: 1 }, Local),
        (RequestError::TooManyStreams { peer: target(), max: 1 }, Local),
        (RequestError::BadService { peer: target(), service: "?".into() }, Local),
        (RequestError::TooLarge { peer: target(), cause: too_large }, Local),
    ]);
}

#[test]
fn end_of_this_node_is_local() {
    let own_close = Ending::Local { reason: "evicted".into() };
    assert_all([
        (RequestError::ShuttingDown { peer: target() }, Local),
        (RequestError::Closed { peer: target(), cause: own_close }, Local),
        (RequestError::of_pool(target(), PoolError::Closed), Local),
        (RequestError::of_dial(target(), DialError::Stopped), Local),
    ]);
}

#[test]
fn dial_that_this_node_ended_is_a_shutdown() {
    let error = RequestError::of_dial(target(), DialError::Stopped);
    assert_eq!(error, RequestError::ShuttingDown { peer: target() });
}

#[test]
fn deadline_is_silence_unless_nothing_was_sent() {
    let late = |phase| RequestError::Timeout { peer: target(), deadline: Duration::from_secs(1), phase };
    assert_all([
        (late(Phase::Connecting), Silent),
        (late(Phase::Queued), Local),
        (late(Phase::Answer), Silent),
    ]);
}

#[test]
fn unusable_answer_is_an_answer() {
    let cause = FrameError::Truncated { have: 0 };
    let expected = (id("x"), id("b"));
    assert_all([
        (RequestError::Decode { peer: target(), cause }, Answered),
        (RequestError::NoReply { peer: target() }, Answered),
        (RequestError::Rejected { peer: target(), why: Rejection::Busy }, Answered),
        (RequestError::WrongPeer { peer: target(), expected: expected.0, found: expected.1 }, Refused),
    ]);
}

#[test]
fn each_failed_dial_gives_its_evidence() {
    let (after, reason) = (Duration::from_secs(2), String::new);
    let cases = [
        (DialError::Silent { after }, Silent),
        (DialError::Unreachable { cause: reason() }, Silent),
        (DialError::PathTooSmall { mtu: 1_000, needed: 1_228 }, Local),
        (DialError::NotBegun { after, max: 16 }, Local),
        (DialError::Stopped, Local),
        (DialError::Other { reason: reason() }, Local),
        (DialError::RefusedByPeer { reason: reason() }, Refused),
        (DialError::PeerRefused { reason: reason() }, Refused),
        (DialError::WrongPeer { found: id("b") }, Refused),
        (DialError::OwnName, Refused),
        (DialError::Protocol { reason: reason() }, Refused),
        (DialError::Busy, Answered),
        (DialError::Restarted, Restarted),
    ];
    assert_all(cases.map(|(cause, evidence)| (RequestError::Connect { peer: target(), cause }, evidence)));
}

#[test]
fn each_connection_end_gives_its_evidence() {
    let reason = String::new;
    let cases = [
        (Ending::Left, Departed),
        (Ending::Stopped, Departed),
        (Ending::Restarted, Restarted),
        (Ending::Silence, Silent),
        (Ending::Refused { reason: reason() }, Refused),
        (Ending::CertificateExpired, Refused),
        (Ending::PeerCertificateExpired, Local),
        (Ending::Unused { reason: reason() }, Answered),
        (Ending::ByPeer { reason: reason() }, Answered),
        (Ending::Local { reason: reason() }, Local),
    ];
    assert_all(cases.map(|(cause, evidence)| (RequestError::Closed { peer: target(), cause }, evidence)));
}

#[test]
fn too_small_path_is_named_with_the_needed_mtu() {
    let cause = DialError::PathTooSmall { mtu: 1_000, needed: 1_228 };
    let text = RequestError::Connect { peer: target(), cause }.to_string();
    assert_eq!(
        text,
        "no connection to 127.0.0.1:7946: packets on the path to it may have 1000 bytes, and QUIC needs 1228 (1,200 \
         bytes of UDP payload); raise the MTU of the interface, route or tunnel to 1228 or more"
    );
}
