//! What is verified already, because the registry holds it. The driver's loop asks this before a
//! message goes to the task.

use kinfolk_core::RegistryView;
use kinfolk_core::signed::{Attested, Kind, is_same};

/// Whether the registry holds exactly this statement, its signature included.
pub(super) fn is_known(registry: &RegistryView, item: &dyn Attested) -> bool {
    item.kind() == Kind::Statement && registry.get(item.signer()).is_some_and(|known| is_same(&*known, item))
}
