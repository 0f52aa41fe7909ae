//! Tests of `kinfolk revoke`: an agent takes a statement of its cluster's authority, and no other.

use std::fs;

use crate::cluster::TestCluster;
use crate::process::run;

#[test]
fn revoked_member_is_out_at_all_agents() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let b = cluster.start("b", &["--join", &a.addr]);
    let _c = cluster.start("c", &["--join", &a.addr]);
    b.wait_for_event("a member joined", "c");
    run(&["ca", "revoke", &cluster.text("."), "c"]).must_succeed();
    let revoked = run(&["revoke", &cluster.text("c.revoked.pem"), "--socket", &cluster.text("a.sock")]);
    revoked.must_succeed();
    assert!(revoked.stdout.starts_with("the certificates of c are revoked here"), "{}", revoked.stdout);
    for agent in [&a, &b] {
        agent.wait_for_event("certificates of a member are revoked; it is shut out", "c");
    }
    let members = run(&["members", "--socket", &cluster.text("b.sock")]);
    assert!(members.stdout.starts_with("2 members"), "{}", members.stdout);
}

#[test]
fn statement_of_another_authority_is_refused() {
    let (cluster, other) = (TestCluster::new(), TestCluster::new());
    let _a = cluster.start("a", &[]);
    let socket = cluster.text("a.sock");
    run(&["ca", "revoke", &other.text("."), "a"]).must_succeed();
    let refused = run(&["revoke", &other.text("a.revoked.pem"), "--socket", &socket]);
    refused.must_fail(1, &["not signed by an authority of this cluster"]);
    fs::write(cluster.path("junk"), "junk").unwrap();
    run(&["revoke", &cluster.text("junk"), "--socket", &socket]).must_fail(1, &["revocation"]);
    run(&["revoke", &cluster.text("none"), "--socket", &socket]).must_fail(4, &["none", "kinfolk ca revoke"]);
    let members = run(&["members", "--socket", &socket]);
    assert!(members.stdout.starts_with("1 member"), "{}", members.stdout);
}
