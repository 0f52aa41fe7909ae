//! The network of the experiment: a true round trip for each pair of members, and what a
//! measurement of it gives.

use std::time::Duration;

use kinfolk_core::Rng;

/// The number of regions.
const REGIONS: usize = 5;
/// The round trips between the regions in milliseconds: about those between data centres in the
/// east and the west of North America, in Europe, in East Asia, and in South America.
const BETWEEN: [[f64; REGIONS]; REGIONS] = [
    [0.0, 65.0, 80.0, 170.0, 120.0],
    [65.0, 0.0, 140.0, 110.0, 175.0],
    [80.0, 140.0, 0.0, 230.0, 200.0],
    [170.0, 110.0, 230.0, 0.0, 300.0],
    [120.0, 175.0, 200.0, 300.0, 0.0],
];
/// The number of sites in a region.
const SITES: usize = 3;
/// The round trip between two sites of a region in milliseconds, at least and at most; and within a
/// site.
const BETWEEN_SITES: [f64; 2] = [4.0, 12.0];
const WITHIN_SITE: f64 = 0.3;
/// By which share the round trips between two sites differ from those between their regions, and
/// those between two members from those between their sites, at most.
const SITE_SPREAD: f64 = 0.05;
const PAIR_SPREAD: f64 = 0.01;
/// What a member's own access adds to each of its round trips, in milliseconds: at least and at
/// most, the logarithm evenly distributed.
const ACCESS: [f64; 2] = [0.1, 3.0];

/// The share of pairs that take a detour, and by which factor it lengthens their round trip. The
/// way over a third member is then shorter, which no positions can express.
const DETOURS: f64 = 0.05;
const DETOUR: [f64; 2] = [1.5, 2.5];

/// The round trip on the fast network, in milliseconds, at least and at most.
const FAST: [f64; 2] = [0.1, 1.0];

/// The mean of the jitter of each measurement: a share of the round trip, and milliseconds.
const JITTER: (f64, f64) = (0.02, 0.1);
/// The share of measurements that a pause or a full queue delays, and the mean delay in
/// milliseconds.
const DELAYED: (f64, f64) = (0.02, 30.0);

/// How near two members are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Near {
    /// In the same site.
    Site,
    /// In two sites of a region.
    Region,
    /// In two regions.
    Far,
}

/// The true round trips between all members.
#[derive(Debug, Clone)]
pub(super) struct Network {
    nodes: usize,
    /// The round trip of each ordered pair, in milliseconds.
    trips: Vec<f64>,
}

impl Network {
    /// Five regions of three sites each, over which the members are distributed evenly.
    pub(super) fn wide(nodes: usize, rng: &mut Rng) -> Self {
        let sites = Self::sites(rng);
        let [least, most] = ACCESS.map(f64::ln);
        let access: Vec<f64> = (0..nodes).map(|_| between([least, most], rng).exp()).collect();
        Self::of(nodes, |one, other| {
            let sites = sites.trip(site(one), site(other)) * spread(PAIR_SPREAD, rng);
            let detour = if rng.unit() < DETOURS { between(DETOUR, rng) } else { 1.0 };
            (sites + access[one] + access[other]) * detour
        })
    }

    /// The round trips between the sites.
    fn sites(rng: &mut Rng) -> Self {
        let mut sites = Self::of(REGIONS * SITES, |one, other| {
            let (from, to) = (one / SITES, other / SITES);
            if from == to {
                between(BETWEEN_SITES, rng)
            } else {
                BETWEEN[from][to] * spread(SITE_SPREAD, rng)
            }
        });
        (0..sites.nodes).for_each(|site| sites.trips[site * sites.nodes + site] = WITHIN_SITE);
        sites
    }

    /// One fast network.
    pub(super) fn fast(nodes: usize, rng: &mut Rng) -> Self {
        Self::of(nodes, |_, _| between(FAST, rng))
    }

    fn of(nodes: usize, mut trip: impl FnMut(usize, usize) -> f64) -> Self {
        let mut trips = vec![0.0; nodes * nodes];
        for one in 0..nodes {
            for other in one + 1..nodes {
                let trip = trip(one, other);
                trips[one * nodes + other] = trip;
                trips[other * nodes + one] = trip;
            }
        }
        Self { nodes, trips }
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// The true round trip, in milliseconds.
    pub(super) fn trip(&self, one: usize, other: usize) -> f64 {
        self.trips[one * self.nodes + other]
    }

    /// One measurement of a round trip.
    pub(super) fn measure(&self, one: usize, other: usize, rng: &mut Rng) -> Duration {
        let trip = self.trip(one, other);
        let mut millis = trip * (1.0 + exponential(JITTER.0, rng)) + exponential(JITTER.1, rng);
        if rng.unit() < DELAYED.0 {
            millis += exponential(DELAYED.1, rng);
        }
        Duration::from_secs_f64(millis / 1_000.0)
    }
}

/// The site of a member of a wide network.
fn site(node: usize) -> usize {
    // Members that follow each other are in different regions, so that small groups have all.
    let (region, nth) = (node % REGIONS, node / REGIONS);
    region * SITES + nth % SITES
}

/// How near two members of a wide network are.
pub(super) fn near(one: usize, other: usize) -> Near {
    if site(one) == site(other) {
        Near::Site
    } else if one % REGIONS == other % REGIONS {
        Near::Region
    } else {
        Near::Far
    }
}

fn spread(most: f64, rng: &mut Rng) -> f64 {
    between([1.0 - most, 1.0 + most], rng)
}

fn between([least, most]: [f64; 2], rng: &mut Rng) -> f64 {
    least + (most - least) * rng.unit()
}

fn exponential(mean: f64, rng: &mut Rng) -> f64 {
    -mean * (1.0 - rng.unit()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_symmetric_and_some_violate_the_triangle() {
        let network = Network::wide(40, &mut Rng::from_seed(1));
        let all = |nodes: usize| (0..nodes).flat_map(move |a| (0..nodes).map(move |b| (a, b)));
        assert!(all(40).all(|(a, b)| network.trip(a, b).to_bits() == network.trip(b, a).to_bits()));
        let shorter =
            |a, b| (0..40).any(|c| network.trip(a, c) + network.trip(c, b) < network.trip(a, b) * 0.9);
        let violated = all(40).filter(|(a, b)| a < b && shorter(*a, *b)).count();
        // 780 pairs, 5 % of which take a detour. A detour between regions is nearly always longer
        // than the way over a third member.
        assert!((20..60).contains(&violated), "{violated}");
    }

    #[test]
    fn measurement_is_seldom_far_from_the_round_trip() {
        let mut rng = Rng::from_seed(1);
        let network = Network::wide(6, &mut rng);
        let trip = network.trip(0, 1);
        let mut far = 0;
        for _ in 0..1_000 {
            let millis = network.measure(0, 1, &mut rng).as_secs_f64() * 1_000.0;
            assert!(millis >= trip * 0.999);
            far += usize::from(millis > trip * 1.15 + 1.0);
        }
        assert!(far < 40, "{far}");
    }
}
