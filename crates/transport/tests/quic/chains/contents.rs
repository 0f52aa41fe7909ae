//! Names, usages, and extensions.

use super::{CA, Pki, node_names, talk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaf_with_other_names_works() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    let names = "DNS:www.example.org,IP:10.0.0.1,DNS:a.c.kinfolk,email:ops@example.org,DNS:a.internal";
    pki.issued("a", "P-256", &node_names(names), "root");
    pki.node("b", "P-256", "root");
    talk(pki.identity("a", &["a"], &["root"]).unwrap(), pki.identity("b", &["b"], &["root"]).unwrap()).await;
}

/// A wildcard is the name of no node, so the certificate stands for its one node alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wildcard_beside_the_name_works_and_alone_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.node("b", "P-256", "root");
    pki.issued("a", "P-256", &node_names("DNS:*.c.kinfolk,DNS:a.c.kinfolk"), "root");
    let a = pki.identity("a", &["a"], &["root"]).unwrap();
    assert_eq!(a.name().to_string(), "a.c.kinfolk");
    talk(a, pki.identity("b", &["b"], &["root"]).unwrap()).await;
    for names in ["DNS:*.c.kinfolk", "DNS:*.c.kinfolk,DNS:*.kinfolk", "DNS:*.*.kinfolk"] {
        pki.issued("a", "P-256", &node_names(names), "root");
        let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
        assert!(refused.contains("<node>.<cluster>.kinfolk"), "{names}: {refused}");
    }
}

#[test]
fn leaf_with_two_or_no_names_of_nodes_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    for (names, found) in [
        ("DNS:a.c.kinfolk,DNS:b.c.kinfolk", "has 2 names"),
        ("DNS:a.c.kinfolk,DNS:a.d.kinfolk", "has 2 names"),
        ("DNS:a.example.org,DNS:b.example.org", "has 0 names"),
        ("DNS:a.example.org", "is not a name of a node"),
    ] {
        pki.issued("a", "P-256", &node_names(names), "root");
        let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
        assert!(refused.contains(found), "{names}: {refused}");
    }
}

#[test]
fn certificate_for_one_direction_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    for (from, to, found) in [
        ("serverAuth,clientAuth", "serverAuth", "lacks the usage clientAuth"),
        ("serverAuth,clientAuth", "clientAuth", "lacks the usage serverAuth"),
        ("digitalSignature", "keyEncipherment", "lacks the usage digitalSignature"),
    ] {
        let extensions = node_names("DNS:a.c.kinfolk").replace(from, to);
        pki.issued("a", "P-256", &extensions, "root");
        let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
        assert!(refused.contains(found), "{to}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_without_usages_works() {
    let pki = Pki::new();
    pki.root("root", "P-256", "basicConstraints=CA:TRUE\n");
    pki.issued("a", "P-256", "subjectAltName=DNS:a.c.kinfolk\n", "root");
    pki.issued("b", "P-256", "subjectAltName=DNS:b.c.kinfolk\n", "root");
    talk(pki.identity("a", &["a"], &["root"]).unwrap(), pki.identity("b", &["b"], &["root"]).unwrap()).await;
}

#[test]
fn authority_with_name_constraints_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", &format!("{CA}nameConstraints=critical,permitted;DNS:c.kinfolk\n"));
    pki.node("a", "P-256", "root");
    let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
    assert!(refused.contains("has name constraints"), "{refused}");
}

/// TLS would refuse it in each handshake.
#[test]
fn critical_extension_that_is_not_known_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    let names = node_names("DNS:a.c.kinfolk");
    for (critical, refused) in [("critical,", true), ("", false)] {
        let other = format!("1.2.3.4={critical}ASN1:UTF8String:x\n");
        pki.issued("a", "P-256", &format!("{names}{other}"), "root");
        let read = pki.identity("a", &["a"], &["root"]);
        assert_eq!(read.is_err(), refused);
        let found = "the certificate of the node has the critical extension 1.2.3.4";
        assert!(read.err().is_none_or(|error| error.contains(found)));

        pki.root("strict", "P-256", &format!("{CA}{other}"));
        pki.node("b", "P-256", "strict");
        let read = pki.identity("b", &["b"], &["strict"]);
        assert_eq!(read.is_err(), refused);
        let found = "the certificate of an authority has the critical extension 1.2.3.4";
        assert!(read.err().is_none_or(|error| error.contains(found)));
    }
}

/// Otherwise the key of one node could issue certificates with the names of others.
#[test]
fn node_that_is_an_authority_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("a", "P-256", &format!("{CA}subjectAltName=DNS:a.c.kinfolk\n"), "root");
    let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
    assert!(refused.contains("the certificate of a.c.kinfolk is an authority's"), "{refused}");
}
