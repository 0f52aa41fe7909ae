//! A cluster forms.

use kinfolk::ClusterEvent;
use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn nine_members_that_start_at_once_through_one_seed_become_one_cluster() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 9).await;
        fleet.assert_no_failure();
        let joins =
            |entry: &&kinfolk_scenarios::Entry| matches!(entry.event, ClusterEvent::NodeJoined { .. });
        let joined = fleet.history.entries().iter().filter(joins).count();
        assert_eq!(joined, 9 * 8, "each tells once of each other\n{:#?}", fleet.history.lines());
        fleet.end().await
    });
}

#[test]
fn members_that_come_one_after_another_become_one_cluster() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 5);
        for n in 0..5 {
            fleet.start_all(&[n]).await;
            fleet.settle(LONG).await;
        }
        fleet.assert_no_failure();
        fleet.end().await
    });
}
