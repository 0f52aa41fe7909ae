//! When a member states its coordinate. Each statement is signed and reaches every member, so the
//! rule keeps statements rare: none on a fast network, few while the coordinates settle, and hardly
//! any after that.

use std::time::Duration;

use kinfolk_core::{Coordinate, Instant, Rng};

use crate::locator::Locator;
use crate::point::{Point, micros};

/// A movement of less than this, 2 ms, is never stated: it is jitter.
pub(crate) const MOVED_MIN: Duration = Duration::from_millis(2);
/// A movement must also be at least this share of the member's usual round trip before the last
/// statement of a burst, and less while more are left.
const MOVED_SHARE: f64 = 0.1;

/// A member states its first coordinate only if round trips are at least as long as this, 10 ms. So
/// nothing is stated on a local network, where estimates would say nothing. Elsewhere each member
/// states one, also if it lies at the origin: the others cannot tell that from a member that does
/// not measure.
const FAR: Duration = Duration::from_millis(10);

/// The shortest time between two statements of a member, and before the first one.
const INTERVAL_MIN: Duration = Duration::from_secs(8);
/// For each member of the group the shortest time is at least this long: all members together state
/// at most 100 coordinates a second, at any size.
const INTERVAL_PER_MEMBER: Duration = Duration::from_millis(10);

/// The number of statements that a member may make one after another: about what a new group needs
/// until its coordinates settle.
const BURST: u32 = 16;
/// The time after which a member may make one more.
const REFILL: Duration = Duration::from_mins(5);

/// Decides when this member states a new coordinate. It is pure: the caller gives the time, and
/// makes the statement.
///
/// The first coordinate is due when the round trips to two peers (or to the only one) are 10 ms or
/// longer, or when the coordinates of peers have drawn the member 10 ms away from the origin. Until
/// then it counts as being at the origin, for itself and for others. A further one is due when it
/// differs from the stated one by more than 2 ms, and by enough for the statements that are left.
/// The time between two statements is at least 8 s, and 10 ms for each member of the group; it
/// varies by a quarter at random, because coordinates settle sooner if members do not all move at
/// once. A member makes at most 16 statements in a row, and then one in five minutes. The more of
/// the 16 it has used, the further it must have moved: before the last one, by a tenth of its usual
/// round trip.
///
/// # Examples
/// ```
/// use kinfolk_coordinates::{Locator, Publisher};
/// use kinfolk_core::{Instant, NodeId};
/// use std::time::Duration;
/// let (mut locator, mut publisher) = (Locator::new(1), Publisher::new(Instant::ORIGIN, 2));
/// let peer = NodeId::new("far-1")?;
/// (0..9).for_each(|_| locator.observe(&peer, None, Duration::from_millis(80)));
/// assert_eq!(publisher.due(Instant::ORIGIN, 2, &locator), None);
/// let later = Instant::ORIGIN + Duration::from_secs(15);
/// let due = publisher.due(later, 2, &locator).expect("80 ms is far");
/// // Here the caller puts it into its description.
/// publisher.published(later, due);
/// assert_eq!(publisher.due(later + Duration::from_secs(60), 2, &locator), None);
/// # Ok::<(), kinfolk_core::NameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Publisher {
    /// `None` before the first statement.
    stated: Option<Point>,
    /// The last statement, or the start.
    last: Instant,
    /// By which factor the time until the next one is longer: 0.75 to 1.25.
    stretch: f64,
    left: u32,
    /// When `left` last grew.
    refilled: Instant,
    rng: Rng,
}

impl Publisher {
    /// A member that starts now and has stated no coordinate.
    pub fn new(now: Instant, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let stretch = stretch(&mut rng);
        Self { stated: None, last: now, stretch, left: BURST, refilled: now, rng }
    }

    /// The coordinate to state now, in a group of so many members; `None` if none is due. It stays
    /// due until [`Publisher::published`] is called.
    pub fn due(&mut self, now: Instant, members: usize, locator: &Locator) -> Option<Coordinate> {
        self.refill(now);
        let per_member = INTERVAL_PER_MEMBER * u32::try_from(members).unwrap_or(u32::MAX);
        let interval = INTERVAL_MIN.max(per_member).mul_f64(self.stretch);
        if self.left == 0 || now.since(self.last) < interval {
            return None;
        }
        let coordinate = locator.coordinate();
        let is_due = match &self.stated {
            None => locator.is_far_from_others(FAR),
            Some(stated) => Point::from(&coordinate).moved_from(stated) > self.threshold(locator),
        };
        is_due.then_some(coordinate)
    }

    /// The member states this coordinate now.
    pub fn published(&mut self, now: Instant, coordinate: Coordinate) {
        self.refill(now);
        self.stated = Some(Point::from(&coordinate));
        self.last = now;
        self.left = self.left.saturating_sub(1);
        self.stretch = stretch(&mut self.rng);
    }

    /// The movement in microseconds that is worth a statement. It grows with the square of the used
    /// share of the burst: the first statements of a new group bring the coordinates near their
    /// places, and the last ones must not be spent on jitter.
    fn threshold(&self, locator: &Locator) -> f64 {
        let used = 1.0 - f64::from(self.left) / f64::from(BURST);
        let usual = micros(locator.usual_round_trip());
        micros(MOVED_MIN).max(usual * MOVED_SHARE * used * used)
    }

    fn refill(&mut self, now: Instant) {
        while self.left < BURST && now.since(self.refilled) >= REFILL {
            self.left += 1;
            self.refilled += REFILL;
        }
        if self.left >= BURST {
            self.refilled = now;
        }
    }
}

fn stretch(rng: &mut Rng) -> f64 {
    0.75 + rng.unit() / 2.0
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeId;

    use super::*;

    /// What is due after a minute, with these round trips in milliseconds, and what each peer
    /// states: its distance from the origin in milliseconds.
    fn due(peers: &[(u64, Option<i32>)]) -> Option<Coordinate> {
        let (mut locator, mut publisher) = (Locator::new(1), Publisher::new(Instant::ORIGIN, 2));
        for _ in 0..20 {
            for (number, (millis, at)) in peers.iter().enumerate() {
                let id = NodeId::new(&format!("n{number}")).unwrap();
                let at = at.map(|at| Coordinate::new([at * 1_000, 0, 0, 0], 100, 100).unwrap());
                locator.observe(&id, at.as_ref(), Duration::from_millis(*millis));
            }
        }
        publisher.due(Instant::ORIGIN + Duration::from_mins(1), peers.len() + 1, &locator)
    }

    #[test]
    fn local_network_states_nothing() {
        assert_eq!(due(&[(1, None), (9, None), (9, None)]), None);
        assert_eq!(due(&[(1, None), (1, None), (1, None), (80, None)]), None, "one slow peer");
        assert_eq!(due(&[(1, None), (1, None), (1, None), (12, Some(12))]), None, "which has moved");
        assert_eq!(due(&[]), None);
    }

    #[test]
    fn long_round_trips_or_moved_neighbours_cause_a_statement() {
        assert!(due(&[(10, None)]).is_some());
        assert!(due(&[(1, None), (10, None), (10, None)]).is_some());
        assert!(due(&[(1, Some(40)), (1, Some(40)), (1, Some(40))]).is_some(), "it follows them");
    }
}
