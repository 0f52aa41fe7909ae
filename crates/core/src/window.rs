//! How much work may be under way, where too much at once makes all of it late.

use std::time::Duration;

/// How much costly work may be under way at a time, such as handshakes. What is done in time widens it, what is done late halves
/// it, as TCP's window does with packets (Jacobson, SIGCOMM 1988). So the rate follows what is finished, without a clock.
///
/// Work that was under way when some was late does not halve it once more. It begins with 4 ([`open`](Self::open): with all), doubles with each round at first, and grows by one with each round once something was late.
///
/// # Examples
/// ```
/// use kinfolk_core::Window;
/// use std::time::Duration;
/// let mut window = Window::up_to(16);
/// window.done(Duration::from_millis(5));
/// assert_eq!(window.size(), 5);
/// window.done(Duration::from_secs(3));
/// assert_eq!(window.size(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    size: usize,
    min: usize,
    max: usize,
    was_late: bool,
    /// How many came in time since it last grew.
    in_time: usize,
    /// How many were done since it last became smaller.
    since_late: usize,
}

impl Window {
    /// What takes longer is late: more than two round trips around the world.
    pub const LATE: Duration = Duration::from_secs(1);

    /// The size before anything is known about how long the work takes.
    const AT_FIRST: usize = 4;

    /// The least size of one that is open at first.
    const OPEN_MIN: usize = 16;

    /// A window that grows to `max` at the most; 0 counts as 1.
    pub fn up_to(max: usize) -> Self {
        let max = max.max(1);
        Self { size: Self::AT_FIRST.min(max), min: 1, max, was_late: false, in_time: 0, since_late: 0 }
    }

    /// The same, as large as it can be at first: for work that is only held back once it is seen to be late.
    ///
    /// It never falls below 16, so that neither a path with long round trips nor one slow member
    /// can hold all others back.
    pub fn open(max: usize) -> Self {
        let max = max.max(1);
        Self { size: max, min: Self::OPEN_MIN.min(max), ..Self::up_to(max) }
    }

    /// How much may be under way. At least 1.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// A piece of work is done, after so long.
    pub fn done(&mut self, took: Duration) {
        let same_round = self.was_late && self.since_late < self.size;
        self.since_late += 1;
        if took > Self::LATE {
            // Those that were under way when the first of them was late say nothing of the smaller window.
            if !same_round {
                self.size = (self.size / 2).max(self.min);
                (self.was_late, self.since_late) = (true, 0);
            }
            self.in_time = 0;
            return;
        }
        self.in_time += 1;
        let needed = if self.was_late { self.size } else { 1 };
        if self.in_time >= needed {
            (self.size, self.in_time) = ((self.size + 1).min(self.max), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_millis(1_001);

    #[test]
    fn the_window_doubles_until_one_is_late_then_it_halves_and_grows_by_one_a_round() {
        let mut window = Window::up_to(16);
        let mut sizes = Vec::new();
        for took in [SOON, SOON, LATER, SOON, SOON, SOON, SOON, LATER, LATER, LATER, LATER, SOON, SOON, SOON]
        {
            window.done(took);
            sizes.push(window.size());
        }
        // Of those that are late in a row, the first says that there were too many; the next one counts once so many are done
        // as may be under way now.
        assert_eq!(sizes, [5, 6, 3, 3, 3, 4, 4, 2, 2, 2, 1, 2, 2, 3]);
        (0..100).for_each(|_| window.done(Window::LATE));
        assert_eq!(window.size(), 14, "a handshake of exactly that time is not late");
        (0..100).for_each(|_| window.done(SOON));
        assert_eq!(window.size(), 16);
        assert_eq!((Window::up_to(1).size(), Window::up_to(0).size(), Window::open(0).size()), (1, 1, 1));
    }

    #[test]
    fn an_open_window_is_halved_by_what_is_late_alone() {
        let mut window = Window::open(1_024);
        window.done(SOON);
        assert_eq!(window.size(), 1_024);
        for size in [512, 256, 128, 64, 32, 16, 16] {
            window.done(LATER);
            assert_eq!(window.size(), size);
            (0..size).for_each(|_| window.done(LATER));
            assert_eq!(window.size(), size, "those were under way already");
        }
    }
}
