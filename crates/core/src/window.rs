//! Bounds how much work is in progress at a time. With too much at once, all of it would be late.

use std::time::Duration;

/// A window that bounds costly work in progress, such as handshakes. Work that finishes in time
/// widens the window. Work that finishes late halves it, as TCP's window reacts to packets
/// (Jacobson, SIGCOMM 1988). So the rate follows what is finished, and no clock is needed.
///
/// Work that was in progress when some was late does not halve the window once more. The window
/// starts at 4; with [`open`](Self::open) it starts at `max`. At first it doubles with each round.
/// Once some work was late, it grows by one with each round.
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
    /// The number of pieces of work that were in time since the window last grew.
    in_time: usize,
    /// The number of pieces of work that were done since the window last became smaller.
    since_late: usize,
}

impl Window {
    /// Work that takes longer than this is late: 1 s, more than two round trips around the world.
    pub const LATE: Duration = Duration::from_secs(1);

    /// The size of [`up_to`](Self::up_to) before it is known how long the work takes.
    const INITIAL_SIZE: usize = 4;

    /// The smallest size of an [`open`](Self::open) window.
    const OPEN_MIN: usize = 16;

    /// A window that starts at 4 and grows to at most `max`; 0 counts as 1.
    pub fn up_to(max: usize) -> Self {
        let max = max.max(1);
        Self { size: Self::INITIAL_SIZE.min(max), min: 1, max, was_late: false, in_time: 0, since_late: 0 }
    }

    /// A window that starts at `max`, for work that is only held back once some of it is late; 0
    /// counts as 1.
    ///
    /// It never falls below 16 (or `max`, if that is smaller), so that neither a path with long
    /// round trips nor one slow member can hold all others back.
    pub fn open(max: usize) -> Self {
        let max = max.max(1);
        Self { size: max, min: Self::OPEN_MIN.min(max), ..Self::up_to(max) }
    }

    /// How much work may be in progress. At least 1.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// A piece of work is done; it took `took`.
    pub fn done(&mut self, took: Duration) {
        let same_round = self.was_late && self.since_late < self.size;
        self.since_late += 1;
        if took > Self::LATE {
            // Work that was in progress when the first was late says nothing about the smaller
            // window.
            if !same_round {
                self.size = (self.size / 2).max(self.min);
                (self.was_late, self.since_late) = (true, 0);
            }
            self.in_time = 0;
            return;
        }
        self.in_time += 1;
        // Before any work was late, each piece widens the window by one, which doubles it in a
        // round. Afterwards a whole round widens it by one. TCP does the same before and after a
        // loss.
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
    fn late_work_halves_the_window_then_growth_slows() {
        let mut window = Window::up_to(16);
        let mut sizes = Vec::new();
        for took in [SOON, SOON, LATER, SOON, SOON, SOON, SOON, LATER, LATER, LATER, LATER, SOON, SOON, SOON]
        {
            window.done(took);
            sizes.push(window.size());
        }
        // Of several late pieces in a row, the first halves the window. The next late piece counts
        // only after as many were done as may be in progress now.
        assert_eq!(sizes, [5, 6, 3, 3, 3, 4, 4, 2, 2, 2, 1, 2, 2, 3]);
        (0..100).for_each(|_| window.done(Window::LATE));
        assert_eq!(window.size(), 14, "a handshake of exactly that time is not late");
        (0..100).for_each(|_| window.done(SOON));
        assert_eq!(window.size(), 16);
        assert_eq!((Window::up_to(1).size(), Window::up_to(0).size(), Window::open(0).size()), (1, 1, 1));
    }

    #[test]
    fn only_late_work_halves_an_open_window() {
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
