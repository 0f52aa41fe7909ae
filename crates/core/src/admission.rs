//! How much work that others ask for is taken up, where it is of use only if it is done soon.

use std::time::Duration;

use crate::Window;

/// Takes work up as long as it can be done in time. What comes beyond that is better sent away before it costs anything: it
/// would make all that is under way late, and be late itself.
///
/// It measures how long one piece takes: what came when so many others were under way, and was done after so long, took a part
/// of that time.
///
/// # Examples
/// ```
/// use kinfolk_core::Admission;
/// use std::time::Duration;
/// let mut admission = Admission::default();
/// assert!(admission.admits(500));
/// admission.done(Duration::from_secs(3), 9);
/// assert!(!admission.admits(500) && admission.admits(0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// How long one piece takes, by the latest ones.
    each: Duration,
}

impl Admission {
    /// What one piece takes before any was seen.
    const AT_FIRST: Duration = Duration::from_millis(1);

    /// Whether one more is taken up while so many are under way: if all of them are done within [`Window::LATE`]. One at a time
    /// is always taken up.
    pub fn admits(&self, under_way: usize) -> bool {
        let count = u32::try_from(under_way).unwrap_or(u32::MAX).saturating_add(1);
        under_way == 0 || self.each.saturating_mul(count) <= Window::LATE
    }

    /// One is done, after so long; so many others were under way when it came.
    pub fn done(&mut self, took: Duration, others: usize) {
        let count = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
        self.each = (self.each + took / count) / 2;
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self { each: Self::AT_FIRST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_taken_up_as_are_done_within_a_second() {
        let mut admission = Admission::default();
        assert_eq!((admission.admits(999), admission.admits(1_000)), (true, false));
        // Ten at a time, in three seconds.
        for _ in 0..20 {
            admission.done(Duration::from_secs(3), 9);
        }
        assert_eq!((admission.admits(2), admission.admits(3)), (true, false), "{admission:?}");
        for _ in 0..20 {
            admission.done(Duration::from_millis(10), 0);
        }
        assert_eq!((admission.admits(98), admission.admits(100)), (true, false), "{admission:?}");
    }

    #[test]
    fn one_is_always_taken_up() {
        let mut admission = Admission::default();
        admission.done(Duration::MAX / 2, 0);
        assert_eq!((admission.admits(0), admission.admits(1)), (true, false));
        admission.done(Duration::ZERO, usize::MAX);
        assert!(admission.admits(0));
    }
}
