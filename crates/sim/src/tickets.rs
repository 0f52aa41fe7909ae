//! Which deadlines are over before they come: nearly all, because the answer came. Whether that is so is found here, in a
//! place that all nodes share, without a look at the node: with thousands of nodes that look would be the dearest part.

/// Names one deadline, from when it is set until it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    place: u32,
    serial: u64,
}

/// The tickets of all deadlines that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    /// Of each place, the serial number of the ticket that was last called off there.
    called_off: Vec<u64>,
    free: Vec<u32>,
    issued: u64,
}

impl Tickets {
    /// A new one.
    pub(crate) fn issue(&mut self) -> Ticket {
        self.issued += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.called_off.push(0);
            u32::try_from(self.called_off.len() - 1).expect("fewer than 2^32 deadlines are to come at a time")
        });
        Ticket { place, serial: self.issued }
    }

    /// What was waited for has come.
    pub(crate) fn call_off(&mut self, ticket: Ticket) {
        self.called_off[ticket.place as usize] = ticket.serial;
    }

    /// The deadline has come, and its ticket's place is free. False if it is known that it was called off.
    pub(crate) fn redeem(&mut self, ticket: Ticket) -> bool {
        self.free.push(ticket.place);
        self.called_off[ticket.place as usize] != ticket.serial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_called_off_is_over_and_a_late_call_hurts_nobody_in_the_same_place() {
        let mut tickets = Tickets::default();
        let [one, other] = [tickets.issue(), tickets.issue()];
        tickets.call_off(one);
        assert_eq!([tickets.redeem(one), tickets.redeem(other)], [false, true]);
        let next = tickets.issue();
        assert_eq!(next.place, other.place);
        tickets.call_off(other);
        assert!(tickets.redeem(next));
        assert_eq!(tickets.called_off.len(), 2, "a place is used again");
    }
}
