//! Kinds and forms of keys, and kinds of signatures.

use super::{CA, Pki, node_names, talk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p384_and_rsa_keys_work_together() {
    let pki = Pki::new();
    pki.root("root", "P-384", CA);
    pki.issued("middle", "3072", CA, "root");
    for (name, kind, issuer) in
        [("a", "P-384", "middle"), ("b", "2048", "middle"), ("d", "4096", "root"), ("e", "P-256", "middle")]
    {
        pki.node(name, kind, issuer);
    }
    let identity = |name| pki.identity(name, &[name, "middle"], &["root"]).unwrap();
    talk(identity("a"), identity("b")).await;
    talk(identity("d"), identity("e")).await;
    talk(identity("b"), identity("e")).await;
}

#[test]
fn key_of_an_unsupported_kind_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    for (kind, found) in
        [("1024", "an RSA key of 1024 bits"), ("P-521", "curve P-521"), ("Ed25519", "an Ed25519 key")]
    {
        pki.node("a", kind, "root");
        let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
        assert!(refused.contains(found) && refused.contains("use ECDSA P-256"), "{kind}: {refused}");
    }
    for (kind, found) in [("1024", "an RSA key of 1024 bits"), ("Ed25519", "an Ed25519 key")] {
        pki.root("other", kind, CA);
        pki.node("a", "P-256", "other");
        let refused = pki.identity("a", &["a"], &["other"]).unwrap_err();
        assert!(refused.contains("the key of the CA") && refused.contains(found), "{kind}: {refused}");
    }
}

/// One key, because it takes seconds to make it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsa_key_of_8192_bits_is_for_authorities_alone() {
    let pki = Pki::new();
    pki.root("root", "8192", CA);
    for node in ["a", "b"] {
        pki.node(node, "P-256", "root");
    }
    let identity = |name| pki.identity(name, &[name], &["root"]);
    talk(identity("a").unwrap(), identity("b").unwrap()).await;
    pki.write("a-key.pem", &pki.text("root-key.pem"));
    pki.certificate("a", "a", &node_names("DNS:a.c.kinfolk"), Some("root"));
    let refused = identity("a").unwrap_err();
    assert!(refused.contains("an RSA key of 8192 bits") && refused.contains("use ECDSA P-256"), "{refused}");
}

#[test]
fn signature_of_an_unsupported_kind_is_refused() {
    let pki = Pki::new();
    pki.root("root", "2048", CA);
    pki.node("a", "P-256", "root");
    pki.openssl(
        "x509 -req -in a.csr -CA root.pem -CAkey root-key.pem -CAcreateserial -days 30 -extfile a.ext -sigopt \
         rsa_padding_mode:pss -out a.pem",
    );
    let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
    assert!(refused.contains("algorithm 1.2.840.113549.1.1.10"), "{refused}");
    for (root, kind, found) in
        [("root", "2048", "1.2.840.113549.1.1.5"), ("short", "P-256", "1.2.840.10045.4.1")]
    {
        pki.root(root, kind, CA);
        pki.node("a", "P-256", root);
        pki.openssl(&format!(
            "x509 -req -in a.csr -CA {root}.pem -CAkey {root}-key.pem -CAcreateserial -days 30 -extfile a.ext -sha1 \
             -out a.pem"
        ));
        let refused = pki.identity("a", &["a"], &[root]).unwrap_err();
        assert!(refused.contains(&format!("algorithm {found}")), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_with_sha384_and_sha512_work() {
    let pki = Pki::new();
    for kind in ["P-256", "2048"] {
        pki.root("root", kind, CA);
        for (name, hash) in [("a", "sha384"), ("b", "sha512")] {
            pki.node(name, "P-256", "root");
            pki.openssl(&format!(
                "x509 -req -in {name}.csr -CA root.pem -CAkey root-key.pem -CAcreateserial -days 30 -extfile \
                 {name}.ext -{hash} -out {name}.pem"
            ));
        }
        let identity = |name| pki.identity(name, &[name], &["root"]).unwrap();
        talk(identity("a"), identity("b")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_forms_of_keys_work() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.node("a", "P-384", "root");
    pki.node("b", "2048", "root");
    pki.openssl("ec -in a-key.pem -out a-key.pem");
    pki.openssl("rsa -in b-key.pem -traditional -out b-key.pem");
    assert!(pki.text("a-key.pem").contains("BEGIN EC PRIVATE KEY"));
    assert!(pki.text("b-key.pem").contains("BEGIN RSA PRIVATE KEY"));
    // As `openssl ecparam -genkey` writes it.
    let parameters = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n";
    pki.write("a-key.pem", &format!("{parameters}{}", pki.text("a-key.pem")));
    talk(pki.identity("a", &["a"], &["root"]).unwrap(), pki.identity("b", &["b"], &["root"]).unwrap()).await;
}

#[test]
fn encrypted_key_is_refused() {
    let pki = Pki::new();
    pki.root("root", "P-256", CA);
    pki.node("a", "P-256", "root");
    pki.openssl("pkcs8 -topk8 -in a-key.pem -passout pass:secret -out locked.pem");
    pki.write("a-key.pem", &pki.text("locked.pem"));
    let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
    assert!(refused.contains("not an unencrypted private key"), "{refused} in {:?}", pki.path());
}
