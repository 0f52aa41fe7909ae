//! The certificates of the members, by their fingerprints. Each was verified once against the
//! authority.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kinfolk_core::RegistryView;
use kinfolk_core::signed::Fingerprint;
use kinfolk_transport::Certificate;
use parking_lot::Mutex;

/// How many certificates are kept beyond those that the registry names.
const SPARE: usize = 512;

/// The certificates that this member knows. Clones share them.
///
/// Bounded by the members: of the certificates that no entry of the registry names, at most 512 are
/// kept, the newest. Each was issued by the authority, so no peer can invent one.
#[derive(Debug, Clone, Default)]
pub struct Certificates(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    all: HashMap<Fingerprint, Kept>,
    inserted: u64,
}

#[derive(Debug)]
struct Kept {
    certificate: Arc<Certificate>,
    number: u64,
}

impl Certificates {
    /// These certificates, for a member that starts. The bound holds from the next
    /// [`insert`](Self::insert) on.
    pub fn of(certificates: impl IntoIterator<Item = Arc<Certificate>>) -> Self {
        let mut inner = Inner::default();
        for certificate in certificates {
            let number = inner.inserted;
            inner.inserted += 1;
            inner.all.insert(certificate.fingerprint(), Kept { certificate, number });
        }
        Self(Arc::new(Mutex::new(inner)))
    }

    /// The certificate with this fingerprint.
    pub fn get(&self, fingerprint: &Fingerprint) -> Option<Arc<Certificate>> {
        self.0.lock().all.get(fingerprint).map(|kept| Arc::clone(&kept.certificate))
    }

    /// Adds a certificate. `registry` says which ones are in use. Returns whether it is new here.
    pub fn insert(&self, certificate: Arc<Certificate>, registry: &RegistryView) -> bool {
        let mut inner = self.0.lock();
        let number = inner.inserted;
        inner.inserted += 1;
        let fingerprint = certificate.fingerprint();
        let before = inner.all.len();
        inner.all.entry(fingerprint).or_insert(Kept { certificate, number });
        let is_new = inner.all.len() > before;
        if inner.all.len() > registry.len() + SPARE {
            inner.drop_unused(registry);
        }
        is_new
    }

    /// All fingerprints.
    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        self.0.lock().all.keys().copied().collect()
    }

    /// Drops a certificate, because no trusted authority issued it.
    pub(super) fn remove(&self, fingerprint: &Fingerprint) {
        self.0.lock().all.remove(fingerprint);
    }

    /// The number of certificates.
    pub fn len(&self) -> usize {
        self.0.lock().all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inner {
    /// Drops the older half of the spare certificates. So this costs little for each insert.
    fn drop_unused(&mut self, registry: &RegistryView) {
        let snapshot = registry.snapshot();
        let used: HashSet<&Fingerprint> =
            snapshot.nodes().iter().map(|node| &node.proof.certificate).collect();
        let unused = self.all.iter().filter(|(fingerprint, _)| !used.contains(fingerprint));
        let mut numbers: Vec<u64> = unused.map(|(_, kept)| kept.number).collect();
        numbers.sort_unstable();
        let Some(oldest) = numbers.len().checked_sub(SPARE / 2).and_then(|at| numbers.get(at)) else {
            return;
        };
        self.all.retain(|fingerprint, kept| used.contains(fingerprint) || kept.number >= *oldest);
    }
}
