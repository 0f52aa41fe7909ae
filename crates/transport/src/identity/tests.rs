//! Certificates that strangers made or changed, and signatures. No bytes may pass for a certificate
//! that the authority did not sign, and none may make the node panic.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::{Fingerprint, Sign as _, Signature};
use kinfolk_core::{ClusterId, NodeId, Rng};
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};

use super::{Authorities, ClusterCa, IdentityError, NodeIdentity, chain, check};

const DAY: Duration = Duration::from_hours(24);

/// One node for all cases of the properties, because issuing a certificate takes a while.
static NODE: LazyLock<NodeIdentity> = LazyLock::new(|| node(&ca("prod"), "a"));

fn ca(cluster: &str) -> ClusterCa {
    ClusterCa::create(&ClusterId::new(cluster).unwrap()).unwrap()
}

fn node(ca: &ClusterCa, name: &str) -> NodeIdentity {
    ca.issue(&NodeId::new(name).unwrap(), DAY).unwrap()
}

fn authority(ca: &ClusterCa) -> Authorities {
    node(ca, "any").authorities()
}

fn der_of(pem: &str) -> Vec<u8> {
    check::first_certificate(pem, "certificate").unwrap().contents
}

/// A certificate of this name by `ca`, which need not be the name of a node.
fn signed(ca: &ClusterCa, san: &str) -> Vec<u8> {
    der_of(&ca.sign(san, DAY).unwrap().0)
}

/// The parameters of a certificate for node `a` of cluster `prod`.
fn params() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["a.prod.kinfolk".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "prod.kinfolk");
    params
}

fn refusal(authority: &Authorities, der: &[u8]) -> IdentityError {
    authority.certificate(der).unwrap_err()
}

fn with_bit_changed(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn certificate_has_the_name_fingerprint_and_bytes_of_its_der() {
    let der = der_of(NODE.cert_pem());
    let certificate = NODE.authorities().certificate(&der).unwrap();
    assert_eq!((certificate.node().as_str(), certificate.der()), ("a", &Bytes::from(der.clone())));
    assert_eq!(certificate.fingerprint(), Fingerprint::of(&der));
    assert_eq!(NODE.certificate().fingerprint(), Fingerprint::of(&der));
    assert_eq!(NODE.signer().certificate(), Fingerprint::of(&der));
    assert_eq!(NODE.authorities().cluster(), NODE.signer().cluster());
}

#[test]
fn certificate_is_valid_from_its_first_to_its_last_second() {
    let certificate = NODE.certificate();
    let last = u64::try_from(NODE.expires_unix_secs()).unwrap();
    // `ClusterCa` starts a validity five minutes in the past.
    let first = last - (DAY + Duration::from_mins(5)).as_secs();
    for (at, valid) in
        [(0, false), (first - 1, false), (first, true), (last, true), (last + 1, false), (u64::MAX, false)]
    {
        assert_eq!(certificate.is_valid_at(Duration::from_secs(at)), valid, "{at} s");
    }
}

#[test]
fn expired_certificate_is_verified_and_is_not_valid() {
    let ca = ca("prod");
    let der = der_of(&ca.sign("a.prod.kinfolk", Duration::ZERO).unwrap().0);
    let certificate = authority(&ca).certificate(&der).unwrap();
    let last = Duration::from_secs(certificate.validity().1.try_into().unwrap());
    assert!(certificate.is_valid_at(last) && !certificate.is_valid_at(last + Duration::from_secs(1)));
}

#[test]
fn certificate_of_another_authority_is_refused() {
    let ours = ca("prod");
    let name = || "a.prod.kinfolk";
    // Its subject is the same as that of our authority. Only the key is another one.
    let theirs = signed(&ca("prod"), name());
    let wrong = |issuer: &str| IdentityError::WrongCa { name: name().to_owned(), issuer: issuer.to_owned() };
    assert_eq!(refusal(&authority(&ours), &theirs), wrong("prod.kinfolk"));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let self_signed = params().self_signed(&key).unwrap();
    assert_eq!(refusal(&authority(&ours), self_signed.der()), wrong("prod.kinfolk"));
}

#[test]
fn certificate_that_names_another_issuer_is_refused() {
    let ours = ca("prod");
    let mut other = CertificateParams::default();
    other.distinguished_name.push(DnType::CommonName, "other");
    let issuer = rcgen::Issuer::new(other, KeyPair::from_pem(&ours.key_pem()).unwrap());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let der = params().signed_by(&key, &issuer).unwrap();
    assert!(matches!(refusal(&authority(&ours), der.der()), IdentityError::WrongCa { .. }));
}

#[test]
fn certificate_with_a_wrong_name_is_refused() {
    let ours = ca("prod");
    let refusal = |der: &[u8]| refusal(&authority(&ours), der);
    assert!(matches!(refusal(&signed(&ours, "a.test.kinfolk")), IdentityError::WrongCluster { .. }));
    assert!(matches!(refusal(&signed(&ours, "www.example.org")), IdentityError::BadName { .. }));
    assert_eq!(refusal(&der_of(ours.cert_pem())), IdentityError::NameCount { found: 0 });
}

#[test]
fn certificate_that_is_cut_or_extended_is_refused() {
    let der = der_of(NODE.cert_pem());
    for len in 0..der.len() {
        assert!(NODE.authorities().certificate(&der[..len]).is_err(), "{len} bytes were taken");
    }
    let cause = |extra: usize| match refusal(&NODE.authorities(), &[&der[..], &vec![0; extra]].concat()) {
        IdentityError::BadDer { cause } => cause,
        error => panic!("{error}"),
    };
    assert_eq!(cause(1), "1 more bytes follow it");
    let most = chain::CHAIN_BYTES_MAX - der.len();
    assert_eq!(cause(most), format!("{most} more bytes follow it"));
    assert_eq!(cause(most + 1), "it has 16385 bytes, and at most 16384 are allowed");
}

#[test]
fn certificate_with_any_bit_changed_is_refused() {
    let (der, authority) = (der_of(NODE.cert_pem()), NODE.authorities());
    for bit in 0..der.len() * 8 {
        let changed = with_bit_changed(&der, bit);
        assert!(authority.certificate(&changed).is_err(), "bit {bit} of byte {} changed", bit / 8);
    }
}

#[test]
fn certificate_with_a_longer_form_of_its_length_is_refused() {
    let der = der_of(NODE.cert_pem());
    // A certificate has 256 bytes or more: 0x30, 0x82, and two bytes of its length.
    let [0x30, 0x82, high, low, rest @ ..] = &der[..] else { panic!("{der:?}") };
    let longer = [&[0x30, 0x83, 0, *high, *low], rest].concat();
    assert!(matches!(refusal(&NODE.authorities(), &longer), IdentityError::BadDer { .. }));
}

#[test]
fn signature_with_any_bit_changed_is_refused() {
    let (certificate, text) = (NODE.certificate(), b"a statement");
    let signature = NODE.signer().sign_bytes(text);
    let verifies =
        |text: &[u8], signature: &[u8]| certificate.verifies(text, &Signature::new(signature).unwrap());
    assert!(verifies(text, signature.as_bytes()));
    assert_eq!(signature.as_bytes().len(), 64);
    for bit in 0..64 * 8 {
        assert!(!verifies(text, &with_bit_changed(signature.as_bytes(), bit)), "bit {bit} of the signature");
    }
    for bit in 0..text.len() * 8 {
        assert!(!verifies(&with_bit_changed(text, bit), signature.as_bytes()), "bit {bit} of the text");
    }
}

#[test]
fn signature_of_another_length_or_member_is_refused() {
    let certificate = NODE.certificate();
    let signature = NODE.signer().sign_bytes(b"x");
    for len in 0..64 {
        let cut = Signature::new(&signature.as_bytes()[..len]).unwrap();
        assert!(!certificate.verifies(b"x", &cut), "{len} bytes were taken");
    }
    let long = Signature::new(&[signature.as_bytes(), &[0]].concat()).unwrap();
    assert!(!certificate.verifies(b"x", &long));
    assert!(!certificate.verifies(b"x", &Signature::default()));
    assert!(!certificate.verifies(b"x", &Signature::new(&[0; 64]).unwrap()));
    let other = node(&ca("prod"), "a").signer().sign_bytes(b"x");
    assert!(!certificate.verifies(b"x", &other));
}

#[test]
fn debug_output_shows_no_key() {
    let secret = NODE.key_pem().lines().nth(1).unwrap();
    let shown = format!("{:?} {:?} {:?}", NODE.signer(), NODE.certificate(), NODE.authorities());
    assert!(shown.contains("a.prod.kinfolk") && !shown.contains(secret), "{shown}");
}

/// Changes a text in one of the ways in which files break: cut, bits, lines, or pieces of another.
fn broken(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut below = |max: usize| rng.below(max.max(1));
    for _ in 0..=below(3) {
        let (at, len) = (below(bytes.len()), below(80));
        let until = (at + len).min(bytes.len());
        match below(7) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << below(7)),
            2 => drop(bytes.drain(at..until)),
            3 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = b"AZaz09+/"[below(8)]),
            4 => {
                let from = below(other.len());
                let piece = other.as_bytes()[from..(from + len).min(other.len())].to_vec();
                drop(bytes.splice(at..until, piece));
            }
            5 => drop(bytes.splice(at..at, [[b'\n'; 1], [b' '; 1], [b'-'; 1], [0; 1]][below(4)])),
            _ => {
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                let (one, two) = (below(lines.len()), below(lines.len()));
                lines.swap(one, two);
                bytes = lines.join(&b'\n');
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file is half written, damaged, or a mixture of two. None of 10,000 makes the node panic. Those
/// that are still read say the same as before: the damage is outside of the blocks.
#[test]
fn ten_thousand_broken_files_give_no_wrong_identity() {
    let (first, second, other) = (ca("prod"), ca("prod"), ca("prod"));
    let (a, b) = (node(&first, "a"), node(&other, "b"));
    let bundle = format!("{}{}", first.cert_pem(), second.cert_pem());
    let expected = NodeIdentity::from_pem(a.cert_pem(), a.key_pem(), &bundle).unwrap();
    let others = [b.cert_pem(), b.key_pem(), other.cert_pem()].concat();
    let (mut rng, mut read) = (Rng::from_seed(22), 0);
    for case in 0..10_000 {
        let mut files = [a.cert_pem().to_owned(), a.key_pem().to_owned(), bundle.clone()];
        files[case % 3] = broken(&files[case % 3], &others, &mut rng);
        let Ok(found) = NodeIdentity::from_pem(&files[0], &files[1], &files[2]) else { continue };
        read += 1;
        assert_eq!(found.certificate().fingerprint(), expected.certificate().fingerprint(), "{files:?}");
        let signature = found.signer().sign_bytes(b"x");
        assert!(expected.certificate().verifies(b"x", &signature), "{files:?}");
        // An authority whose name broke issues nothing. No stranger's is trusted.
        assert!(found.authorities().certificate(b.certificate().der()).is_err(), "{files:?}");
        assert!(found.authorities().certificate(a.certificate().der()).is_ok(), "{files:?}");
    }
    assert!(read < 5_000, "most files are refused, and {read} were read");
}

proptest! {
    #[test]
    fn signature_verifies_with_the_certificate(text in prop::collection::vec(any::<u8>(), 0..2048)) {
        let signature = NODE.signer().sign_bytes(&text);
        prop_assert!(NODE.certificate().verifies(&text, &signature));
    }

    #[test]
    fn signature_of_changed_bytes_is_refused(
        text in prop::collection::vec(any::<u8>(), 1..2048),
        at in any::<prop::sample::Index>(),
    ) {
        let signature = NODE.signer().sign_bytes(&text);
        let changed = with_bit_changed(&text, at.index(text.len() * 8));
        prop_assert!(!NODE.certificate().verifies(&changed, &signature));
    }

    #[test]
    fn random_signature_is_refused(
        text in prop::collection::vec(any::<u8>(), 0..64),
        signature in prop::collection::vec(any::<u8>(), 0..=Signature::BYTES_MAX),
    ) {
        prop_assert!(!NODE.certificate().verifies(&text, &Signature::new(&signature).unwrap()));
    }

    #[test]
    fn certificate_with_a_byte_changed_is_refused(at in any::<prop::sample::Index>(), by in 1..=u8::MAX) {
        let mut der = der_of(NODE.cert_pem());
        let at = at.index(der.len());
        der[at] ^= by;
        prop_assert!(NODE.authorities().certificate(&der).is_err());
    }

    #[test]
    fn random_bytes_are_no_certificate(der in prop::collection::vec(any::<u8>(), 0..1024)) {
        prop_assert!(NODE.authorities().certificate(&der).is_err());
    }

    /// Most random bytes fail at the first tag. These come further: pieces of a certificate in
    /// another order, cut, or repeated.
    #[test]
    fn shuffled_certificate_is_refused(
        pieces in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..8),
        head in 0..=8_usize,
    ) {
        let whole = der_of(NODE.cert_pem());
        let mut der = whole[..head].to_vec();
        for (from, until) in pieces {
            let (from, until) = (from.index(whole.len()), until.index(whole.len()));
            der.extend_from_slice(&whole[from.min(until)..from.max(until)]);
        }
        // What follows a whole certificate is no part of it.
        let kept = NODE.authorities().certificate(&der).map(|certificate| certificate.der().clone());
        prop_assert!(kept.is_err() || kept.is_ok_and(|kept| kept == whole));
    }
}
