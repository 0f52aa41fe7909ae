//! Keys: which kinds a certificate may have, how a key signs a statement of its member, and how the
//! key of an authority signs a certificate.
//!
//! | key | its statements | certificates that it signs |
//! |---|---|---|
//! | ECDSA P-256 | ECDSA with SHA-256, 64 bytes | ECDSA with SHA-256, 384, or 512 |
//! | ECDSA P-384 | ECDSA with SHA-384, 96 bytes | ECDSA with SHA-256, 384, or 512 |
//! | RSA | PKCS #1 1.5 with SHA-256, as long as the key | PKCS #1 1.5 with SHA-256, 384, or 512 |

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use kinfolk_core::signed::{Fingerprint, Signature};
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey as ParsedKey;

use super::IdentityError;

/// The shortest RSA key, in bits. Shorter ones are not safe any more.
const RSA_BITS_MIN: usize = 2_048;
/// The longest RSA key of a member, in bits: a signature has as many, and a message has room for
/// 512 bytes.
const RSA_BITS_MAX: usize = Signature::BYTES_MAX * 8;
/// The longest RSA key of an authority, in bits: that of the cryptographic library.
const AUTHORITY_RSA_BITS_MAX: usize = 8_192;

const EC_KEY: &str = "1.2.840.10045.2.1";
const RSA_KEY: &str = "1.2.840.113549.1.1.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    P256,
    P384,
    /// With this number of bits.
    Rsa(usize),
}

/// A hash that a signature of a certificate uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CertificateSignature {
    is_rsa: bool,
    hash: Hash,
    /// The algorithm's identifier in its only valid encoding (RFC 5758 and RFC 4055).
    pub(super) der: &'static [u8],
}

const ECDSA: [(&str, CertificateSignature); 3] = [
    (
        "1.2.840.10045.4.3.2",
        CertificateSignature {
            is_rsa: false,
            hash: Hash::Sha256,
            der: b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
        },
    ),
    (
        "1.2.840.10045.4.3.3",
        CertificateSignature {
            is_rsa: false,
            hash: Hash::Sha384,
            der: b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
        },
    ),
    (
        "1.2.840.10045.4.3.4",
        CertificateSignature {
            is_rsa: false,
            hash: Hash::Sha512,
            der: b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04",
        },
    ),
];

const RSA: [(&str, CertificateSignature); 3] = [
    (
        "1.2.840.113549.1.1.11",
        CertificateSignature {
            is_rsa: true,
            hash: Hash::Sha256,
            der: b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
        },
    ),
    (
        "1.2.840.113549.1.1.12",
        CertificateSignature {
            is_rsa: true,
            hash: Hash::Sha384,
            der: b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00",
        },
    ),
    (
        "1.2.840.113549.1.1.13",
        CertificateSignature {
            is_rsa: true,
            hash: Hash::Sha512,
            der: b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00",
        },
    ),
];

impl CertificateSignature {
    /// How `cert` is signed. The identifier beside the signature must be the one inside the signed
    /// part.
    pub(super) fn of(cert: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        let found = cert.signature_algorithm.algorithm.to_id_string();
        let known = ECDSA.iter().chain(&RSA).find(|(oid, _)| *oid == found);
        known.map(|(_, signature)| *signature).ok_or(IdentityError::WrongSignatureKind { found })
    }
}

impl KeyKind {
    /// The kind of the key in a member's certificate.
    pub(super) fn of_node(cert: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        Self::of(cert, "node", RSA_BITS_MAX)
    }

    /// The kind of the key in the certificate of an authority.
    pub(super) fn of_authority(cert: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        Self::of(cert, "CA", AUTHORITY_RSA_BITS_MAX)
    }

    fn of(cert: &X509Certificate<'_>, what: &'static str, rsa_max: usize) -> Result<Self, IdentityError> {
        let key = cert.public_key();
        let wrong = |found: String| IdentityError::WrongKeyKind { what, found };
        match key.algorithm.algorithm.to_id_string().as_str() {
            EC_KEY => {
                let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
                let curve = curve.map(|curve| curve.to_id_string()).unwrap_or_default();
                // A compressed point has another first byte. The TLS library does not read it.
                match (curve.as_str(), &*key.subject_public_key.data) {
                    (P256, [4, rest @ ..]) if rest.len() == 64 => Ok(Self::P256),
                    (P384, [4, rest @ ..]) if rest.len() == 96 => Ok(Self::P384),
                    (P256 | P384, _) => Err(wrong("an ECDSA key with a compressed point".to_owned())),
                    _ => Err(wrong(format!("an ECDSA key of the curve {}", curve_name(&curve)))),
                }
            }
            RSA_KEY => {
                let bits = match key.parsed() {
                    Ok(ParsedKey::RSA(rsa)) => rsa.key_size(),
                    _ => 0,
                };
                if (RSA_BITS_MIN..=rsa_max).contains(&bits) {
                    Ok(Self::Rsa(bits))
                } else {
                    Err(wrong(format!("an RSA key of {bits} bits")))
                }
            }
            "1.3.101.112" => Err(wrong("an Ed25519 key".to_owned())),
            other => Err(wrong(format!("a key of the kind {other}"))),
        }
    }

    /// The algorithm for statements of a member with such a key.
    fn of_statements(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::Rsa(_) => &RSA_PKCS1_2048_8192_SHA256,
        }
    }

    fn of_certificates(self, signature: CertificateSignature) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self, signature.is_rsa, signature.hash) {
            (Self::P256, false, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::P256, false, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Self::P256, false, Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Self::P384, false, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Self::P384, false, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::P384, false, Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Self::Rsa(_), true, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Self::Rsa(_), true, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Self::Rsa(_), true, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

fn curve_name(curve: &str) -> &str {
    match curve {
        "1.3.132.0.35" => "P-521",
        "1.3.132.0.10" => "secp256k1",
        other => other,
    }
}

/// The public key of a certificate: its kind and its bytes. They are parsed again for each
/// signature, which takes 9 us: a parsed key takes 2 KiB, and a member keeps the certificates of
/// all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub(super) kind: KeyKind,
    /// The point of an ECDSA key, or the modulus and the exponent of an RSA key in DER.
    bytes: Box<[u8]>,
}

impl PublicKey {
    /// The key of `cert`, whose kind is known.
    pub(super) fn of_certificate(kind: KeyKind, cert: &X509Certificate<'_>) -> Self {
        Self { kind, bytes: cert.public_key().subject_public_key.data.as_ref().into() }
    }

    /// The SHA-256 of the key's bytes. It stays the same when the certificate is renewed.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.bytes)
    }

    /// Whether this key made this signature of a member's statement.
    pub(super) fn verifies(&self, statement: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.kind.of_statements(), &self.bytes).verify(statement, signature).is_ok()
    }

    /// Whether this key signed `cert`.
    pub(super) fn has_signed(&self, cert: &X509Certificate<'_>) -> bool {
        let algorithm = CertificateSignature::of(cert).ok().and_then(|of| self.kind.of_certificates(of));
        algorithm.is_some_and(|algorithm| {
            let key = UnparsedPublicKey::new(algorithm, &self.bytes);
            key.verify(cert.tbs_certificate.as_ref(), &cert.signature_value.data).is_ok()
        })
    }
}

/// A private key. It has no `Debug` form.
pub(super) enum PrivateKey {
    /// Of P-256 or P-384.
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// Reads the first private key in a PEM text: PKCS #8, SEC 1, or PKCS #1. `what` names the
    /// owner.
    pub(super) fn from_pem(pem: &str, what: &'static str) -> Result<Self, IdentityError> {
        // Leave out the libraries' errors: they could quote the contents of the key file, and an
        // error ends up in a log.
        let unreadable =
            || IdentityError::parse("private key", &"it is not an unencrypted private key in PEM");
        let blocks = pem::parse_many(pem).map_err(|_| unreadable())?;
        let block =
            blocks.iter().find(|block| block.tag().ends_with("PRIVATE KEY")).ok_or_else(unreadable)?;
        Self::from_der(block.contents(), what, unreadable)
    }

    fn from_der(
        der: &[u8],
        what: &'static str,
        unreadable: impl FnOnce() -> IdentityError,
    ) -> Result<Self, IdentityError> {
        let ecdsa = |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, der);
        let wrong = |found: &str| Err(IdentityError::WrongKeyKind { what, found: found.to_owned() });
        for algorithm in [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING] {
            if let Ok(key) = ecdsa(algorithm) {
                return Ok(Self::Ecdsa(key));
            }
        }
        if let Ok(key) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Ok(Self::Rsa(key));
        }
        if ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING).is_ok() {
            return wrong("an ECDSA key of the curve P-521");
        }
        if Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok() {
            return wrong("an Ed25519 key");
        }
        Err(unreadable())
    }

    /// Whether it is the key of `cert`.
    pub(super) fn is_of(&self, cert: &X509Certificate<'_>) -> bool {
        let own = match self {
            Self::Ecdsa(key) => key.public_key().as_ref(),
            Self::Rsa(key) => key.public_key().as_ref(),
        };
        own == cert.public_key().subject_public_key.data.as_ref()
    }

    /// The key in PEM (PKCS #8), the form that the TLS library reads in every case. `None` if the
    /// cryptographic library fails.
    pub(super) fn to_pem(&self) -> Option<String> {
        let der = match self {
            Self::Ecdsa(key) => key.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Self::Rsa(key) => {
                let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
                der.as_ref().to_vec()
            }
        };
        Some(encode_pem("PRIVATE KEY", der))
    }

    /// Signs a statement of the member. `None` if the cryptographic library fails.
    pub(super) fn sign(&self, statement: &[u8]) -> Option<Signature> {
        match self {
            // The library does not use the random numbers that it asks for.
            Self::Ecdsa(key) => Signature::new(key.sign(&SystemRandom::new(), statement).ok()?.as_ref()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), statement, &mut signature).ok()?;
                Signature::new(&signature)
            }
        }
    }
}

/// A block of PEM.
pub(super) fn encode_pem(tag: &str, der: Vec<u8>) -> String {
    let line_ending = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), line_ending)
}
