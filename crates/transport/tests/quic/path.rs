//! Paths with an MTU that is too small for QUIC, on the real kernel.
//!
//! The tests start themselves in a network namespace whose loopback interface has another MTU. The
//! namespace ends with the test. They need root, or a system that permits namespaces to every user.
//! Elsewhere they print `SKIPPED` and pass.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{DialError, Evidence, RequestError, Transport};

use crate::support::{LONG, bind, ca, config, echo_with, named, peer};

/// The MTU that QUIC needs over IPv4, in bytes: 1,200 of payload, 8 of UDP and 20 of IPv4 header.
const NEEDED: u32 = 1_228;

/// The environment variable with the namespace's MTU. `/sys` in the namespace still shows the
/// machine's interfaces.
const MTU: &str = "KINFOLK_TEST_MTU";

/// Runs one of the tests below in a network namespace whose loopback interface has this MTU. False
/// if the system does not permit namespaces.
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
    let test_binary = std::env::current_exe().expect("a test has the path of its program");
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
fn path_below_1228_bytes_is_named() {
    for mtu in [1_000, NEEDED - 1] {
        if !run_with_mtu(mtu, "path::in_namespace_small_path_fails") {
            return;
        }
    }
}

#[test]
fn path_of_1228_bytes_is_accepted() {
    run_with_mtu(NEEDED, "path::in_namespace_smallest_path_works");
}

#[tokio::test]
#[ignore = "path_below_1228_bytes_is_named runs it in a network namespace"]
async fn in_namespace_small_path_fails() {
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
#[ignore = "path_of_1228_bytes_is_accepted runs it in a network namespace"]
async fn in_namespace_smallest_path_works() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo_with(config(&ca, "b")));
    assert_eq!(a.identify(b.local_addr().socket(), LONG).await.unwrap(), *b.id());
    a.request(&peer(&b), Bytes::from(vec![7; 10_000]), LONG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_of_another_family_is_unreachable() {
    let ca = ca("c");
    let mut impatient = config(&ca, "a");
    impatient.handshake_timeout = Duration::from_millis(300);
    let a = Transport::bind(impatient).unwrap().0;
    let there = named("b", "[::1]:7946".parse::<SocketAddr>().unwrap().into());
    let error = a.request(&there, Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Connect { cause: DialError::Unreachable { .. }, .. }), "{error}");
    assert_eq!(error.evidence(), Evidence::Silent);
}
