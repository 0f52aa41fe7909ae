//! The open requests of this member, and the purpose of each.
//!
//! The number of open requests is bounded by their purposes:
//!
//! - probes: one with its helpers, or one of each subject with its witnesses;
//! - [`RELAYS_MAX`](crate::purpose::RELAYS_MAX) relays;
//! - [`DESCRIBES_MAX`](crate::purpose::DESCRIBES_MAX) descriptions;
//! - [`JOINS_MAX`](crate::purpose::JOINS_MAX) joins;
//! - [`INTRODUCTIONS_MAX`](crate::purpose::INTRODUCTIONS_MAX) introductions;
//! - one periodic exchange of views, and the contacts of failed members;
//! - one ping for each pending verdict;
//! - the pings of one return check, and those of one leave.
//!
//! The requests of a probe or a relay are removed when its time is over, so an answer that never
//! comes leaves nothing behind.

use crate::interface::input::RequestId;
use crate::purpose::Purpose;

/// The open requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// In the order of their ids, which only grow. There are mostly one or two, so a sorted vector
    /// is cheaper than a map.
    waiting: Vec<(RequestId, Purpose)>,
}

impl Requests {
    /// Adds a request that is on its way.
    pub(crate) fn add(&mut self, id: RequestId, purpose: Purpose) {
        let place = self.waiting.partition_point(|(waiting, _)| *waiting < id);
        self.waiting.insert(place, (id, purpose));
    }

    /// Removes a request. Returns its purpose, or `None` if the request is not open any more.
    pub(crate) fn take(&mut self, id: RequestId) -> Option<Purpose> {
        let place = self.waiting.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.waiting.remove(place).1)
    }

    /// The number of open requests whose purpose matches.
    pub(crate) fn count(&self, of: impl Fn(&Purpose) -> bool) -> usize {
        self.waiting.iter().filter(|(_, purpose)| of(purpose)).count()
    }

    /// Whether a comparison of views runs, or an exchange that followed from one.
    pub(crate) fn is_comparing(&self) -> bool {
        self.waiting.iter().any(|(_, purpose)| match purpose {
            Purpose::DigestPing | Purpose::Compare => true,
            Purpose::Sync(session) => session.command.is_none(),
            _ => false,
        })
    }

    /// Drops the periodic exchange of views that still runs, if there is one. Joins go on.
    pub(crate) fn drop_periodic_sync(&mut self) {
        self.waiting.retain(|(_, purpose)| match purpose {
            Purpose::DigestPing | Purpose::Compare => false,
            Purpose::Sync(session) => session.command.is_some(),
            _ => true,
        });
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
