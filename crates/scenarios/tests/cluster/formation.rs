//! A cluster forms.

use kinfolk::ClusterEvent;
use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn nine_members_started_at_once_form_one_cluster() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 9).await;
        fleet.assert_no_failure();
        let joins =
            |entry: &&kinfolk_scenarios::Entry| matches!(entry.event, ClusterEvent::NodeJoined { .. });
        let joined = fleet.history.entries().iter().filter(joins).count();
        assert_eq!(joined, 9 * 8, "each reports each other once\n{:#?}", fleet.history.lines());
        fleet.end().await
    });
}

#[test]
fn members_started_one_by_one_form_one_cluster() {
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
