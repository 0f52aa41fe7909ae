//! Measures the registry: a read, a change, and a snapshot.

use std::sync::Arc;

use super::group::{Claims, registry};
use crate::case::Case;

/// Each case has its own registry, because some cases change it.
pub(super) fn cases(members: usize) -> Vec<Case> {
    let read = registry(members);
    let get = Case::prepared(
        format!("registry get, {members}"),
        Claims::about(members),
        |claims| claims.known().id.clone(),
        move |_, id| read.get(&id),
    );
    let unchanged = registry(members);
    let known = Case::prepared(
        format!("registry apply, known claim, {members}"),
        Claims::about(members),
        |claims| Arc::clone(claims.known()),
        move |_, claim| unchanged.apply(claim),
    );
    let changed = registry(members);
    let new = Case::prepared(
        format!("registry apply, new claim, {members}"),
        Claims::about(members),
        Claims::next,
        move |_, claim| changed.apply(claim),
    );
    let same = registry(members);
    let again = Case::new(format!("registry snapshot, unchanged, {members}"), move || same.snapshot());
    // A snapshot is kept until the next change. So this case makes a new one each time.
    let changing = registry(members);
    let fresh = Case::prepared(
        format!("registry apply and snapshot, {members}"),
        Claims::about(members),
        Claims::next,
        move |_, claim| {
            let _change = changing.apply(claim);
            changing.snapshot()
        },
    );
    vec![get, known, new, again, fresh]
}
