//! Certificates of a company's own authority, made by openssl: chains, several authorities, names,
//! and kinds of keys. Each row of the table in `docs/security.md` is a test here. A row works, or
//! the start refuses it and names the reason.
#![expect(clippy::unwrap_used, reason = "clippy does not treat the helpers of tests as tests")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::Sign as _;
use kinfolk_transport::{NodeIdentity, Transport, TransportConfig};
use tempfile::TempDir;

use crate::support::{LONG, echo_with, peer};

/// The extensions of an authority that a test may change.
const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                  subjectKeyIdentifier=hash\n";
/// The extensions of a node, without its names.
const NODE: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                    extendedKeyUsage=serverAuth,clientAuth\nauthorityKeyIdentifier=keyid\n";

/// A folder in which openssl makes keys and certificates: `NAME.pem` and `NAME-key.pem`.
struct Pki(TempDir);

impl Pki {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn openssl(&self, args: &str) {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(self.0.path()).output();
        let output = output.expect("openssl is installed (`cargo xtask setup`)");
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn key(&self, name: &str, kind: &str) {
        let algorithm = match kind {
            "P-256" | "P-384" | "P-521" => format!("EC -pkeyopt ec_paramgen_curve:{kind}"),
            "Ed25519" => "ED25519".to_owned(),
            bits => format!("RSA -pkeyopt rsa_keygen_bits:{bits}"),
        };
        self.openssl(&format!("genpkey -algorithm {algorithm} -out {name}-key.pem"));
    }

    /// A root, whose name is free.
    fn root(&self, name: &str, kind: &str, extensions: &str) {
        self.key(name, kind);
        self.certificate(name, "Acme\\ Root", extensions, None);
    }

    /// An authority or a node that `issuer` certifies.
    fn issued(&self, name: &str, kind: &str, extensions: &str, issuer: &str) {
        self.key(name, kind);
        self.certificate(name, name, extensions, Some(issuer));
    }

    /// A node of the cluster `c`.
    fn node(&self, name: &str, kind: &str, issuer: &str) {
        self.issued(name, kind, &node_names(&format!("DNS:{name}.c.kinfolk")), issuer);
    }

    fn certificate(&self, name: &str, subject: &str, extensions: &str, issuer: Option<&str>) {
        self.write(&format!("{name}.ext"), extensions);
        let subject = subject.replace("\\ ", "_");
        self.openssl(&format!("req -new -key {name}-key.pem -subj /CN={subject} -out {name}.csr"));
        let signer = match issuer {
            Some(issuer) => format!("-CA {issuer}.pem -CAkey {issuer}-key.pem -CAcreateserial"),
            None => format!("-signkey {name}-key.pem"),
        };
        self.openssl(&format!(
            "x509 -req -in {name}.csr {signer} -days 30 -extfile {name}.ext -out {name}.pem"
        ));
    }

    /// Gives an authority a certificate that has expired, with the same name and key.
    fn expire(&self, name: &str, issuer: &str) {
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}-key.pem -CAcreateserial -days -1 -extfile \
             {name}.ext -out {name}.pem"
        ));
    }

    /// The identity of `name`, whose file has these certificates, and which trusts these.
    fn identity(&self, name: &str, file: &[&str], trusted: &[&str]) -> Result<NodeIdentity, String> {
        let texts = |names: &[&str]| -> String {
            names.iter().map(|name| self.text(&format!("{name}.pem"))).collect()
        };
        let read =
            NodeIdentity::from_pem(&texts(file), &self.text(&format!("{name}-key.pem")), &texts(trusted));
        read.map_err(|error| error.to_string())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn node_names(names: &str) -> String {
    format!("{NODE}subjectAltName={names}\n")
}

fn start(identity: NodeIdentity) -> Transport {
    let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
    config.handshake_timeout = Duration::from_secs(10);
    config.pool.connect_timeout = Duration::from_secs(15);
    echo_with(config)
}

/// Both nodes exchange requests in both directions, and each verifies what the other signed, also
/// with the bytes of the certificate alone.
async fn talk(one: NodeIdentity, other: NodeIdentity) {
    for (signer, verifier) in [(&one, &other), (&other, &one)] {
        let sent = verifier.authorities().certificate(signer.certificate().der()).unwrap();
        let signature = signer.signer().sign_bytes(b"statement");
        assert!(sent.verifies(b"statement", &signature) && !sent.verifies(b"Statement", &signature));
    }
    let fingerprint = other.certificate().fingerprint();
    let (a, b) = (start(one), start(other));
    assert_eq!(a.request(&peer(&b), Bytes::from_static(b"hi"), LONG).await.unwrap(), "hi");
    assert_eq!(b.request(&peer(&a), Bytes::from_static(b"hi"), LONG).await.unwrap(), "hi");
    let seen = a.certificate_of(b.id()).unwrap();
    assert_eq!(seen.fingerprint(), fingerprint);
    // What came with the connection verifies on its own, too.
    assert!(a.identity().authorities().certificate(seen.der()).is_ok());
}

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

#[test]
fn authority_of_another_cluster_is_refused() {
    let pki = Pki::new();
    pki.key("root", "P-256");
    pki.certificate("root", "d.kinfolk", CA, None);
    pki.node("a", "P-256", "root");
    let refused = pki.identity("a", &["a"], &["root"]).unwrap_err();
    assert!(refused.contains("is for cluster c, its CA for cluster d"), "{refused}");
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
