//! Where programs report the health of services whose checks wait for it. The agent replaces them
//! when it reads its configuration again.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use kinfolk::{ServiceName, Ttl};

/// The reports of this agent's services. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reports(Arc<RwLock<BTreeMap<ServiceName, Ttl>>>);

impl Reports {
    /// Replaces all of them.
    pub(crate) fn replace(&self, reports: BTreeMap<ServiceName, Ttl>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = reports;
    }

    /// Where to report for this service. `None` if none of its checks waits for it.
    pub(crate) fn of(&self, service: &str) -> Option<Ttl> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }
}
