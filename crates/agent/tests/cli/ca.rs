//! Tests of `kinfolk ca`: its files, their modes, and that it overwrites nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::cluster::TestCluster;
use crate::process::run;

#[test]
fn keys_are_private_and_output_names_the_next_command() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new/pki");
    let dir = dir.to_str().unwrap();
    let mode = |name: &str| fs::metadata(format!("{dir}/{name}")).unwrap().permissions().mode() & 0o777;

    let made = run(&["ca", "init", dir, "--cluster", "prod"]);
    made.must_succeed();
    assert!(made.stdout.contains(&format!("next: kinfolk ca issue {dir} NODE")), "{}", made.stdout);
    assert_eq!(mode("ca-key.pem"), 0o600);

    let issued = run(&["ca", "issue", dir, "db-1", "--days", "7"]);
    issued.must_succeed();
    assert!(issued.stdout.contains("db-1.prod.kinfolk, valid for 7 days"), "{}", issued.stdout);
    assert!(issued.stdout.contains("kinfolk agent --cert"), "{}", issued.stdout);
    assert_eq!(mode("db-1-key.pem"), 0o600);
    assert!(fs::read_to_string(format!("{dir}/db-1.pem")).unwrap().contains("BEGIN CERTIFICATE"));
}

#[test]
fn certificates_can_go_to_another_folder() {
    let cluster = TestCluster::new();
    run(&["ca", "issue", &cluster.text("."), "a", "--out", &cluster.text("out")]).must_succeed();
    assert!(cluster.path("out/a.pem").exists() && cluster.path("out/a-key.pem").exists());
    assert!(!cluster.path("a.pem").exists());
}

#[test]
fn existing_files_are_not_overwritten() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let contents =
        || ["ca.pem", "ca-key.pem", "a.pem", "a-key.pem"].map(|name| fs::read(cluster.path(name)).unwrap());
    let before = contents();
    run(&["ca", "init", &cluster.text("."), "--cluster", "other"])
        .must_fail(1, &["ca-key.pem", "not overwritten"]);
    run(&["ca", "issue", &cluster.text("."), "a"]).must_fail(1, &["a-key.pem", "not overwritten"]);
    assert_eq!(contents(), before);
}

#[test]
fn unusable_input_gives_one_line() {
    let cluster = TestCluster::new();
    run(&["ca", "issue", "/nowhere", "a"]).must_fail(4, &["/nowhere/ca.pem", "kinfolk ca init"]);
    run(&["ca", "issue", &cluster.text("."), "Node_1"]).must_fail(2, &["'N'", "a-z"]);
    run(&["ca", "issue", &cluster.text("."), "a", "--days", "0"]).must_fail(2, &["1..=3650"]);
    run(&["ca", "init", &cluster.text(".")]).must_fail(2, &["--cluster"]);
    fs::write(cluster.path("ca.pem"), "junk").unwrap();
    run(&["ca", "issue", &cluster.text("."), "a"]).must_fail(4, &["cannot read the CA certificate"]);
}
