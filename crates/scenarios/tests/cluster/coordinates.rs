//! Members in three regions find out where they lie, and estimate the round trips between members
//! that have no connection. On a local network nobody states anything.

use std::net::IpAddr;
use std::time::Duration;

use kinfolk::{ClusterEvent, CoordinateStats, RoundTrip, RoundTripError, Service};
use kinfolk_scenarios::{Fleet, Link, World, run, until};

use crate::twice::twice;

/// The members of each region. The first region has the members 0 to 4.
const SIZE: usize = 5;
const MEMBERS: usize = 3 * SIZE;
/// The delay of one way between two regions, in milliseconds. Within a region it is 1 to 2 ms.
const DELAYS: [(usize, usize, u64); 3] = [(0, 1, 20), (1, 2, 35), (0, 2, 50)];
/// This member states no coordinate.
const OFF: usize = 7;
/// Within this time each member has stated its first coordinate, and after it they are settled.
const SETTLES_WITHIN: Duration = Duration::from_mins(2);

fn region(n: usize) -> usize {
    n / SIZE
}

fn ips_of(region: usize) -> Vec<IpAddr> {
    (region * SIZE..(region + 1) * SIZE).map(World::ip).collect()
}

/// The delay of one way between the regions of two members.
fn delay(one: usize, other: usize) -> Option<Duration> {
    let pair = (region(one).min(region(other)), region(one).max(region(other)));
    let found = DELAYS.iter().find(|(from, to, _)| (*from, *to) == pair);
    found.map(|(_, _, millis)| Duration::from_millis(*millis))
}

/// All members, in three regions.
async fn formed(world: World) -> Fleet {
    for (one, other, millis) in DELAYS {
        let delay = Duration::from_millis(millis);
        let link = Link { delay, jitter: delay / 20, ..Link::GOOD };
        world.net.set_links_between(&ips_of(one), &ips_of(other), link);
    }
    let mut fleet = Fleet::new(world, MEMBERS);
    fleet.config(OFF).coordinates = false;
    fleet.start_all(&(0..MEMBERS).collect::<Vec<_>>()).await;
    fleet.settle(Duration::from_mins(1)).await;
    fleet
}

fn round_trip(fleet: &Fleet, by: usize, from: usize, to: usize) -> Result<RoundTrip, RoundTripError> {
    fleet.member(by).round_trip(&fleet.id(from), &fleet.id(to))
}

/// Asserts that member 0 estimates the round trips between any two others of different regions to
/// within a sixth, and so does each of the two that has no connection to the other.
fn assert_estimates(fleet: &Fleet) {
    let mut estimates = 0;
    for (one, other) in (1..MEMBERS).flat_map(|one| (1..one).map(move |other| (other, one))) {
        let Some(delay) = delay(one, other).filter(|_| one != OFF && other != OFF) else { continue };
        let found = round_trip(fleet, 0, one, other);
        let Ok(RoundTrip::Estimated(time)) = found else { panic!("{one} to {other}: {found:?}") };
        // The delay of each way differs by up to a twentieth, and has whole milliseconds.
        let truth = 2.05 * delay.as_secs_f64();
        let error = time.as_secs_f64() / truth - 1.0;
        assert!(error.abs() < 1.0 / 6.0, "{one} to {other}: {time:?}, which is {error:.3} off");
        if fleet.member(one).rtt(&fleet.id(other)).is_none() {
            assert_eq!(round_trip(fleet, one, one, other), found, "equal views give equal estimates");
            estimates += 1;
        }
    }
    assert!(estimates > 0, "some members have no connection");
}

/// Asserts that a member that has no connection to any instance of a service finds the nearest one.
async fn assert_nearest(fleet: &Fleet) {
    let unknown = |client: usize, of: usize| {
        let is_free = |n: &usize| region(*n) == of && *n != client && *n != OFF;
        (0..MEMBERS).filter(is_free).find(|n| fleet.member(client).rtt(&fleet.id(*n)).is_none())
    };
    // One instance in each region.
    let instances = |client: usize| -> Option<Vec<usize>> { (0..3).map(|of| unknown(client, of)).collect() };
    let mut clients = (0..MEMBERS).filter(|n| *n != OFF);
    let found = clients.find_map(|client| Some((client, instances(client)?)));
    let (client, instances) = found.expect("a member has few connections");
    for n in &instances {
        fleet.member(*n).offer("db", Service::new(1)).await.expect("the member runs");
    }
    let offered = || fleet.member(client).services("db").len() == instances.len();
    assert!(until(Duration::from_secs(10), offered).await, "the offers reach the client");
    for _ in 0..20 {
        let lease = fleet.member(client).select("db").nearest().expect("there are instances");
        assert_eq!(lease.node(), &fleet.id(instances[region(client)]), "{client}: {}", lease.explain());
    }
}

#[test]
fn regions_are_known_by_their_coordinates() {
    run(1, async |world| {
        let fleet = formed(world).await;
        let states = |n: usize| n == OFF || fleet.member(n).coordinate().is_some();
        assert!(until(SETTLES_WITHIN, || (0..MEMBERS).all(states)).await, "each member states where it lies");
        fleet.pass(SETTLES_WITHIN).await;
        assert_estimates(&fleet);
        for n in 0..MEMBERS {
            let stats = fleet.member(n).stats().coordinates;
            assert!(stats.statements <= 20, "statements are rare: {stats:?}");
            assert!(
                n == OFF || stats.peers == MEMBERS - 1,
                "it asked those that it does not probe: {stats:?}"
            );
        }
        let updated = |event: &ClusterEvent| matches!(event, ClusterEvent::NodeUpdated { .. });
        let updates: Vec<_> =
            fleet.history.entries().into_iter().filter(|entry| updated(&entry.event)).collect();
        assert!(updates.is_empty(), "a new coordinate is no event: {updates:?}");

        let off = fleet.member(OFF);
        assert_eq!((off.coordinate(), off.stats().coordinates), (None, CoordinateStats::default()));
        let no_coordinate = Err(RoundTripError::NoCoordinate { node: fleet.id(OFF) });
        assert_eq!(round_trip(&fleet, 0, 1, OFF), no_coordinate);
        assert!(matches!(round_trip(&fleet, OFF, 1, 12), Ok(RoundTrip::Estimated(_))), "it estimates others");
        assert_nearest(&fleet).await;
        fleet.assert_no_failure();
        fleet.end().await;
    });
}

#[test]
fn local_network_has_no_coordinates() {
    twice(&[1], async |world| {
        let fleet = Fleet::formed(world, 6).await;
        fleet.pass(Duration::from_mins(3)).await;
        for n in 0..6 {
            let stats = fleet.member(n).stats().coordinates;
            assert!(stats.samples > 60 && stats.peers > 0, "it measures: {stats:?}");
            assert_eq!((stats.statements, fleet.member(n).coordinate()), (0, None), "{stats:?}");
        }
        assert!(matches!(round_trip(&fleet, 0, 1, 2), Err(RoundTripError::NoCoordinate { .. })));
        assert!(matches!(round_trip(&fleet, 0, 0, 1), Ok(RoundTrip::Measured(_))));
        fleet.end().await
    });
}
