//! Whether this member left: then it contacts nobody, in this life and the next, until it is given a seed. Whether a
//! peer left is in `members.rs`.

#[derive(Debug)]
pub(super) struct Departure {
    /// Whether this member left and was not brought back since. Then it contacts nobody.
    left: bool,
    /// Whether it left in this instance, which cannot come back.
    left_now: bool,
}

impl Departure {
    pub(super) fn of_former_life(left: bool) -> Self {
        Self { left, left_now: false }
    }

    pub(super) fn leaves(&mut self) {
        self.left = true;
        self.left_now = true;
    }

    /// A seed brings back who left in a former life.
    pub(super) fn seed_given(&mut self) {
        self.left = self.left_now;
    }

    pub(super) fn has_left(&self) -> bool {
        self.left
    }
}
