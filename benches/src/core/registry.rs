//! The registry: reading, changing, and looking at all of it.

use std::sync::Arc;

use super::group::{News, registry};
use crate::case::Case;

pub(super) fn cases(members: usize) -> Vec<Case> {
    let read = registry(members);
    let get = Case::prepared(
        format!("registry get, {members}"),
        News::about(members),
        |news| news.known().id.clone(),
        move |_, id| read.get(&id),
    );
    let told = registry(members);
    let known = Case::prepared(
        format!("registry apply, known claim, {members}"),
        News::about(members),
        |news| Arc::clone(news.known()),
        move |_, claim| told.apply(claim),
    );
    let changed = registry(members);
    let new = Case::prepared(
        format!("registry apply, new claim, {members}"),
        News::about(members),
        News::next,
        move |_, claim| changed.apply(claim),
    );
    let same = registry(members);
    let again = Case::new(format!("registry snapshot, unchanged, {members}"), move || same.snapshot());
    let changing = registry(members);
    let fresh = Case::prepared(
        format!("registry apply and snapshot, {members}"),
        News::about(members),
        News::next,
        move |_, claim| {
            let _change = changing.apply(claim);
            changing.snapshot()
        },
    );
    vec![get, known, new, again, fresh]
}
