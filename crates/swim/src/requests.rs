//! The requests of ours that wait for an answer, and what each was for.
//!
//! Bounded by construction: one probe with its helpers, [`RELAYS_MAX`](crate::purpose::RELAYS_MAX) relays, [`DESCRIBES_MAX`](crate::purpose::DESCRIBES_MAX) descriptions,
//! [`JOINS_MAX`](crate::purpose::JOINS_MAX) joins and one periodic exchange, one question for each pending verdict, the pings of one trial, and those of
//! one leave. What a probe or a relay has asked is forgotten when its time is over, so that an answer which never comes
//! leaves nothing behind.

use crate::interface::input::RequestId;
use crate::purpose::Purpose;

/// All that wait.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// In the order of their ids, which only grow. Mostly one or two.
    waiting: Vec<(RequestId, Purpose)>,
}

impl Requests {
    /// A request of this id is on its way.
    pub(crate) fn add(&mut self, id: RequestId, purpose: Purpose) {
        let place = self.waiting.partition_point(|(waiting, _)| *waiting < id);
        self.waiting.insert(place, (id, purpose));
    }

    pub(crate) fn take(&mut self, id: RequestId) -> Option<Purpose> {
        let place = self.waiting.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.waiting.remove(place).1)
    }

    pub(crate) fn count(&self, of: impl Fn(&Purpose) -> bool) -> usize {
        self.waiting.iter().filter(|(_, purpose)| of(purpose)).count()
    }

    /// Drops the periodic exchange of views that is still under way, if there is one.
    pub(crate) fn drop_periodic_sync(&mut self) {
        self.waiting.retain(|(_, purpose)| match purpose {
            Purpose::Glance | Purpose::Compare => false,
            Purpose::Sync(session) => session.command.is_some(),
            _ => true,
        });
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
