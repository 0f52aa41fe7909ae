//! The path from a node to a trusted authority.

use super::{CA, Pki, talk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chain_over_an_intermediate_works() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("middle", "P-256", CA, "root");
    pki.node("a", "P-256", "middle");
    pki.node("b", "P-256", "root");
    let a = pki.identity("a", &["a", "middle"], &["root"]).unwrap();
    assert_eq!(a.name().to_string(), "a.c.kinfolk");
    talk(a, pki.identity("b", &["b"], &["root"]).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chain_with_its_root_in_any_order_works() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("upper", "P-256", CA, "root");
    pki.issued("lower", "P-256", CA, "upper");
    pki.node("a", "P-256", "lower");
    pki.node("b", "P-256", "lower");
    let a = pki.identity("a", &["root", "upper", "lower", "a"], &["root"]).unwrap();
    assert_eq!(a.cert_pem().matches("BEGIN").count(), 3, "the root is not sent");
    let b = pki.identity("b", &["b", "upper", "root", "lower"], &["root"]).unwrap();
    talk(a, b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_intermediates_are_the_most() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    let chain = ["root", "i1", "i2", "i3", "i4", "i5"];
    for pair in chain.windows(2) {
        pki.issued(pair[1], "P-256", CA, pair[0]);
    }
    for (node, issuer) in [("a", "i4"), ("b", "root"), ("d", "i5")] {
        pki.node(node, "P-256", issuer);
    }
    let a = pki.identity("a", &["a", "i1", "i2", "i3", "i4"], &["root"]).unwrap();
    talk(a, pki.identity("b", &["b"], &["root"]).unwrap()).await;
    let refused = pki.identity("d", &["d", "i1", "i2", "i3", "i4", "i5"], &["root"]).unwrap_err();
    assert!(refused.contains("is not signed by this CA"), "{refused}");
}

#[test]
fn chain_without_its_intermediate_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("middle", "P-256", CA, "root");
    pki.node("a", "P-256", "middle");
    let refused = pki.identity("a", &["a", "root"], &["root"]).unwrap_err();
    assert!(
        refused.contains("its issuer is \"middle\"") && refused.contains("add the intermediate"),
        "{refused}"
    );
}

#[test]
fn expired_intermediate_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("middle", "P-256", CA, "root");
    pki.expire("middle", "root");
    pki.node("a", "P-256", "middle");
    let refused = pki.identity("a", &["a", "middle"], &["root"]).unwrap_err();
    assert!(refused.contains("an authority of a.c.kinfolk expired at"), "{refused}");
}

/// The former certificate of an intermediate does not hide the renewed one, which has the same name
/// and key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_intermediate_beside_the_expired_one_works() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("middle", "P-256", CA, "root");
    pki.write("renewed.pem", &pki.text("middle.pem"));
    pki.expire("middle", "root");
    for node in ["a", "b"] {
        pki.node(node, "P-256", "middle");
    }
    let a = pki.identity("a", &["a", "middle", "renewed"], &["root"]).unwrap();
    let b = pki.identity("b", &["b", "renewed", "middle"], &["root"]).unwrap();
    assert!(a.cert_pem().ends_with(&pki.text("renewed.pem")) && a.cert_pem().matches("BEGIN").count() == 2);
    talk(a, b).await;
}

/// Two roots have certified the key of one intermediate, and the members trust only one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_certified_intermediate_works() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.key("other", "P-256");
    pki.certificate("other", "Other", CA, None);
    pki.issued("middle", "P-256", CA, "other");
    pki.write("crossed.pem", &pki.text("middle.pem"));
    pki.certificate("middle", "middle", CA, Some("root"));
    for node in ["a", "b"] {
        pki.node(node, "P-256", "middle");
    }
    let a = pki.identity("a", &["a", "crossed", "middle"], &["root"]).unwrap();
    let b = pki.identity("b", &["middle", "crossed", "b"], &["root"]).unwrap();
    talk(a, b).await;
}

#[test]
fn intermediate_that_may_not_sign_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("middle", "P-256", &CA.replace("keyCertSign,", ""), "root");
    pki.node("a", "P-256", "middle");
    let refused = pki.identity("a", &["a", "middle"], &["root"]).unwrap_err();
    assert!(refused.contains("is not signed by this CA"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intermediate_alone_can_be_trusted() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.issued("middle", "P-256", CA, "root");
    pki.node("a", "P-256", "middle");
    pki.node("b", "P-256", "middle");
    let a = pki.identity("a", &["a"], &["middle"]).unwrap();
    talk(a, pki.identity("b", &["b", "middle"], &["middle"]).unwrap()).await;
}

#[test]
fn authority_below_one_that_allows_none_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", &CA.replace("CA:TRUE", "CA:TRUE,pathlen:0"));
    pki.issued("middle", "P-256", CA, "root");
    pki.node("a", "P-256", "middle");
    let refused = pki.identity("a", &["a", "middle"], &["root"]).unwrap_err();
    assert!(refused.contains("is not signed by this CA"), "{refused}");
}

#[test]
fn node_certificate_is_no_intermediate() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.node("b", "P-256", "root");
    pki.node("a", "P-256", "b");
    let refused = pki.identity("a", &["a", "b"], &["root"]).unwrap_err();
    assert!(refused.contains("is not signed by this CA"), "{refused}");
}

/// Both roots have the same name, as two of `kinfolk ca` would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_roots_in_either_order_work() {
    let pki = Pki::new();
    for root in ["old", "new"] {
        pki.root(root, "P-256", CA);
    }
    pki.node("a", "P-256", "old");
    pki.node("b", "P-256", "new");
    for trusted in [["old", "new"], ["new", "old"]] {
        let a = pki.identity("a", &["a"], &trusted).unwrap();
        assert_eq!(a.authorities().trust().len(), 2);
        talk(a, pki.identity("b", &["b"], &trusted).unwrap()).await;
    }
    let refused = pki.identity("a", &["a"], &["new"]).unwrap_err();
    assert!(refused.contains("is not signed by this CA"), "{refused}");
}

#[test]
fn authority_of_another_cluster_is_refused() {
    let pki = Pki::new();
    pki.key("root", "P-256");
    pki.certificate("root", "d.kinfolk", CA, None);
    pki.node("a", "P-256", "root");
    let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
    assert!(refused.contains("is for cluster c, its CA for cluster d"), "{refused}");
}

#[test]
fn certificate_that_is_no_authority_is_not_trusted() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.root("sign-only", "P-256", &CA.replace("keyCertSign,", ""));
    pki.node("a", "P-256", "root");
    for trusted in [["a", "root"], ["root", "sign-only"]] {
        let refused = pki.identity("a", &["a"], &trusted).unwrap_err();
        assert!(refused.contains("not a certificate of an authority"), "{refused}");
    }
}

#[test]
fn too_many_certificates_are_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.node("a", "P-256", "root");
    let repeated = vec!["root"; 17];
    for (file, trusted, found) in [
        (&["a"][..], &repeated[..], "CA file has 17"),
        (&repeated[..], &["root"][..], "certificate file has 17"),
    ] {
        let refused = pki.identity("a", file, trusted).unwrap_err();
        assert!(refused.contains(found), "{refused}");
    }
}
