//! Cancellation of deadlines. Nearly all deadlines are cancelled, because the reply arrives before
//! them. All nodes share this table, so a cancelled deadline needs no access to its node. With
//! thousands of nodes that access would be the most expensive part.

/// Identifies one deadline, from its start until it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    place: u32,
    serial: u64,
}

/// The tickets of all deadlines that have not come yet.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    /// For each place, the serial number of the ticket that was cancelled there last.
    cancelled: Vec<u64>,
    free: Vec<u32>,
    issued: u64,
}

impl Tickets {
    /// Issues a new ticket.
    pub(crate) fn issue(&mut self) -> Ticket {
        self.issued += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.cancelled.push(0);
            u32::try_from(self.cancelled.len() - 1).expect("fewer than 2^32 deadlines are open at a time")
        });
        Ticket { place, serial: self.issued }
    }

    /// Cancels the deadline, because the reply arrived.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        // Stores the serial number, not a flag: after the place is reused, a late cancellation of
        // the old ticket does not match the new one.
        self.cancelled[ticket.place as usize] = ticket.serial;
    }

    /// The deadline came, and its place becomes free. Returns false if the deadline was cancelled.
    pub(crate) fn expire(&mut self, ticket: Ticket) -> bool {
        self.free.push(ticket.place);
        self.cancelled[ticket.place as usize] != ticket.serial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    /// A late cancellation does not affect the next ticket in the same place.
    fn cancelled_ticket_expires_without_effect() {
        let mut tickets = Tickets::default();
        let [one, other] = [tickets.issue(), tickets.issue()];
        tickets.cancel(one);
        assert_eq!([tickets.expire(one), tickets.expire(other)], [false, true]);
        let next = tickets.issue();
        assert_eq!(next.place, other.place);
        tickets.cancel(other);
        assert!(tickets.expire(next));
        assert_eq!(tickets.cancelled.len(), 2, "the table reuses places");
    }
}
