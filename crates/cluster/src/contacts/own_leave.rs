//! Whether this member left on purpose. A member that left contacts no other member, in this
//! instance and in the next, until it is given a seed. Whether a peer left is in `members.rs`.

#[derive(Debug)]
pub(super) struct OwnLeave {
    /// Whether this member left, and was not given a seed since then.
    left: bool,
    /// Whether this instance left. An instance that left cannot come back; only its next one can.
    left_now: bool,
}

impl OwnLeave {
    pub(super) fn from_previous_instance(left: bool) -> Self {
        Self { left, left_now: false }
    }

    pub(super) fn leave(&mut self) {
        self.left = true;
        self.left_now = true;
    }

    /// Notes that this member was given a seed, which cancels the leave of a previous instance.
    pub(super) fn seed_given(&mut self) {
        self.left = self.left_now;
    }

    pub(super) fn has_left(&self) -> bool {
        self.left
    }
}
