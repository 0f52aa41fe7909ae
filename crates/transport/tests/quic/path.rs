//! Paths that are too small for QUIC, with the real kernel: in a network namespace whose loopback
//! interface has another MTU. The test starts itself in there, and the namespace ends with it. It
//! needs root, or a system that gives namespaces to everybody; elsewhere it is skipped with a loud
//! line.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{DialError, Evidence, RequestError, Transport};

use crate::support::{LONG, bind, ca, config, echo_with, named, peer};

/// The MTU that QUIC needs over IPv4.
const NEEDED: u32 = 1_228;

/// Says which MTU the namespace has: `/sys` is still that of the machine there.
const MTU: &str = "KINFOLK_TEST_MTU";

/// Runs one of the tests below in a namespace of its own whose loopback interface has this MTU.
/// False if the system gives none.
fn run_with_mtu(mtu: u32, test: &str) -> bool {
    let enter = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", script, "sh"]);
        command
    };
    let prepare = format!("ip link set lo mtu {mtu} up");
    if !enter(&prepare).output().is_ok_and(|prepared| prepared.status.success()) {
        eprintln!(
            "SKIPPED: this system gives no network namespace (`unshare --map-root-user --net`, with iproute2)"
        );
        return false;
    }
    let test_binary = std::env::current_exe().expect("a test knows its program");
    let mut command = enter(&format!("{prepare} && exec \"$@\""));
    command.env(MTU, mtu.to_string()).arg(test_binary);
    let ended =
        command.args(["--exact", "--ignored", "--nocapture", test]).output().expect("`unshare` has just run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert!(ended.status.success() && out.contains("1 passed"), "MTU {mtu}: {out}\n{err}");
    true
}

#[test]
fn a_path_below_1228_bytes_is_named() {
    for mtu in [1_000, NEEDED - 1] {
        if !run_with_mtu(mtu, "path::in_a_namespace_with_a_small_path") {
            return;
        }
    }
}

#[test]
fn a_path_of_1228_bytes_is_long_enough() {
    run_with_mtu(NEEDED, "path::in_a_namespace_with_a_path_that_is_just_long_enough");
}

#[tokio::test]
#[ignore = "a_path_below_1228_bytes_is_named runs it in a network namespace"]
async fn in_a_namespace_with_a_small_path() {
    let mtu: u32 = std::env::var(MTU).unwrap().parse().unwrap();
    let expected = DialError::PathTooSmall { mtu, needed: NEEDED };
    let (ca, listens) = (ca("c"), "127.0.0.1:7946".parse::<SocketAddr>().unwrap());
    let a = bind(&ca, "a").0;
    let mut there = config(&ca, "b");
    there.listen = listens;
    let b = echo_with(there);
    let by_address = a.identify(listens, LONG).await.unwrap_err();
    let by_name = a.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err();
    for error in [by_address, by_name] {
        assert!(matches!(&error, RequestError::Connect { cause, .. } if *cause == expected), "{error}");
        assert_eq!(error.evidence(), Evidence::Local);
    }
}

#[tokio::test]
#[ignore = "a_path_of_1228_bytes_is_long_enough runs it in a network namespace"]
async fn in_a_namespace_with_a_path_that_is_just_long_enough() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo_with(config(&ca, "b")));
    assert_eq!(a.identify(b.local_addr().socket(), LONG).await.unwrap(), *b.id());
    a.request(&peer(&b), Bytes::from(vec![7; 10_000]), LONG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_another_family_cannot_be_reached() {
    let ca = ca("c");
    let mut impatient = config(&ca, "a");
    impatient.handshake_timeout = Duration::from_millis(300);
    let a = Transport::bind(impatient).unwrap().0;
    let there = named("b", "[::1]:7946".parse::<SocketAddr>().unwrap().into());
    let error = a.request(&there, Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Connect { cause: DialError::Unreachable { .. }, .. }), "{error}");
    assert_eq!(error.evidence(), Evidence::Silent);
}
