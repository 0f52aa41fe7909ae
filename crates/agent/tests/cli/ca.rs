//! Tests of `kinfolk ca`: its files, their modes, and that it overwrites nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::cluster::TestCluster;
use crate::process::{is_one_line, run};

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

#[test]
fn renewal_replaces_both_files_and_keeps_the_former() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let read = |name: &str| fs::read_to_string(cluster.path(name)).unwrap();
    let before = [read("a.pem"), read("a-key.pem")];
    let renewed = run(&["ca", "renew", &cluster.text("."), "a", "--days", "30"]);
    renewed.must_succeed();
    assert!(renewed.stdout.contains("a.test.kinfolk, valid for 30 days"), "{}", renewed.stdout);
    assert_eq!([read("a.pem.old"), read("a-key.pem.old")], before);
    assert!(read("a.pem") != before[0] && read("a-key.pem") != before[1]);
    let mode = fs::metadata(cluster.path("a-key.pem")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // A second renewal replaces the former files of the first.
    run(&["ca", "renew", &cluster.text("."), "a"]).must_succeed();
    assert_ne!(read("a.pem.old"), before[0]);
    run(&["ca", "renew", &cluster.text("."), "b"]).must_fail(4, &["b.pem", "cannot read"]);
    fs::copy(cluster.path("a.pem"), cluster.path("b.pem")).unwrap();
    run(&["ca", "renew", &cluster.text("."), "b"])
        .must_fail(4, &["a.test.kinfolk and not of b.test.kinfolk"]);
}

#[test]
fn show_prints_what_each_certificate_says() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let both = fs::read_to_string(cluster.path("a.pem")).unwrap()
        + &fs::read_to_string(cluster.path("ca.pem")).unwrap();
    fs::write(cluster.path("both.pem"), both).unwrap();
    let shown = run(&["ca", "show", &cluster.text("both.pem")]);
    shown.must_succeed();
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(
        (lines[0], lines[2], lines[3]),
        ("name         a.test.kinfolk", "issued by    test.kinfolk", "key          ECDSA P-256")
    );
    assert_eq!(lines[8], "authority    test.kinfolk");
    for (at, word, digits) in [(1, "serial", 40), (6, "fingerprint", 64)] {
        let (name, value) = lines[at].split_once(' ').unwrap();
        assert_eq!((name, value.trim().len()), (word, digits), "{}", lines[at]);
    }
    assert!(lines[4].starts_with("valid from   20") && lines[5].ends_with(" UTC"), "{lines:?}");
    run(&["ca", "show", &cluster.text("a-key.pem")]).must_fail(4, &["a-key.pem", "no CERTIFICATE block"]);
}

#[test]
fn revocation_is_written_once_and_needs_the_authority() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    run(&["ca", "revoke", &cluster.text("."), "a"]).must_succeed();
    run(&["ca", "revoke", &cluster.text("."), "a"]).must_fail(1, &["a.revoked.pem", "not overwritten"]);
    let shown = run(&["ca", "show", &cluster.text("a.pem")]).stdout;
    let serial = shown.lines().find_map(|line| line.strip_prefix("serial")).unwrap().trim();
    let out = cluster.text("one.pem");
    let one = run(&["ca", "revoke", &cluster.text("."), "a", "--serial", serial, "--out", &out]);
    one.must_succeed();
    assert!(one.stdout.contains("it revokes one certificate of a"), "{}", one.stdout);
    run(&["ca", "revoke", &cluster.text("."), "a", "--serial", "xyz"]).must_fail(2, &["hexadecimal digits"]);
    run(&["ca", "revoke", &cluster.text("."), "a", "--cluster", "other"]).must_fail(4, &["cluster other"]);
    run(&["ca", "revoke", "/nowhere", "a"]).must_fail(4, &["/nowhere/ca.pem"]);
}

/// The key of the authority makes any member.
#[test]
fn open_key_of_the_authority_is_warned_of() {
    let cluster = TestCluster::new();
    fs::set_permissions(cluster.path("ca-key.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    for command in ["issue", "renew", "revoke"] {
        let run = run(&["ca", command, &cluster.text("."), "a"]);
        assert_eq!(run.status, Some(0), "{run:#?}");
        is_one_line(&run.stderr);
        assert!(run.stderr.contains("mode 0640") && run.stderr.contains("chmod 600"), "{}", run.stderr);
    }
}

#[test]
fn serial_number_that_no_certificate_has_is_noted() {
    let cluster = TestCluster::new();
    let revoke = |out: &str, serial: &str| {
        let out = cluster.text(out);
        let made = run(&["ca", "revoke", &cluster.text("."), "a", "--serial", serial, "--out", &out]);
        made.must_succeed();
        made.stdout.contains("note: no certificate of a in")
    };
    assert!(!revoke("1", "ab"), "there is no certificate to compare it with");
    cluster.issue("a");
    let shown = run(&["ca", "show", &cluster.text("a.pem")]).stdout;
    let serial = shown.lines().find_map(|line| line.strip_prefix("serial")).unwrap().trim();
    assert!(revoke("2", "ab"));
    assert!(!revoke("3", serial) && !revoke("4", &format!("00{serial}")));
    run(&["ca", "renew", &cluster.text("."), "a"]).must_succeed();
    assert!(!revoke("5", serial), "it is the former one");
}

#[test]
fn expired_authority_issues_and_revokes_nothing() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let_authority_end(&cluster, "-1");
    for command in ["issue", "renew", "revoke"] {
        run(&["ca", command, &cluster.text("."), "a"])
            .must_fail(4, &["test.kinfolk in", "expired at", "kinfolk ca init"]);
    }
}

/// Gives the authority another end: that many days from now.
fn let_authority_end(cluster: &TestCluster, days: &str) {
    let args = ["x509", "-in", "ca.pem", "-signkey", "ca-key.pem", "-days", days, "-out", "ca.pem"];
    let made = Command::new("openssl").args(args).current_dir(cluster.path(".")).output();
    assert!(made.expect("openssl is installed (`cargo xtask setup`)").status.success());
}

#[test]
fn end_of_the_authority_limits_a_certificate() {
    let cluster = TestCluster::new();
    let_authority_end(&cluster, "7");
    for (days, said) in [("8", "UTC, when the CA expires"), ("6", "valid for 6 days")] {
        let issued = run(&["ca", "issue", &cluster.text("."), &format!("a{days}"), "--days", days]);
        issued.must_succeed();
        assert!(issued.stdout.contains(said), "{}", issued.stdout);
    }
}

/// An endless file must not fill the memory.
#[test]
fn file_that_cannot_be_read_has_its_advice() {
    let cluster = TestCluster::new();
    run(&["ca", "show", "/dev/zero"]).must_fail(4, &["cannot show /dev/zero"]);
    run(&["ca", "show", &cluster.text(".")]).must_fail(4, &["give a file with certificates in PEM"]);
    run(&["ca", "renew", &cluster.text("."), "a"]).must_fail(4, &["a.pem", "kinfolk ca issue", "--out"]);
}

/// The authority of another program can revoke, and does not say for which cluster.
#[test]
fn authority_of_another_program_needs_the_cluster_to_revoke() {
    let cluster = TestCluster::new();
    let args = ["req", "-x509", "-new", "-key", "ca-key.pem", "-subj", "/CN=Example Root", "-out", "ca.pem"];
    let made = Command::new("openssl").args(args).current_dir(cluster.path(".")).output();
    assert!(made.expect("openssl is installed (`cargo xtask setup`)").status.success());
    for command in ["issue", "revoke"] {
        let run = run(&["ca", command, &cluster.text("."), "a"]);
        run.must_fail(4, &["\"Example Root\"", "kinfolk ca init", "--cluster"]);
    }
    run(&["ca", "revoke", &cluster.text("."), "a", "--cluster", "test"]).must_succeed();
}
