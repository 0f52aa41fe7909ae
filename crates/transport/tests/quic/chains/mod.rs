//! Certificates of a company's own authority, made by openssl: chains, several authorities, names,
//! and kinds of keys. Each row of the table in `docs/security.md` is a test here. A row works, or
//! the start refuses it and names the reason.
#![expect(clippy::unwrap_used, reason = "clippy does not treat the helpers of tests as tests")]

mod contents;
mod keys;
mod paths;

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
            // With four primes it takes seconds in place of a minute.
            "8192" => "RSA -pkeyopt rsa_keygen_bits:8192 -pkeyopt rsa_keygen_primes:4".to_owned(),
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
