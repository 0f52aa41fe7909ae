//! One member leaves gracefully.

use kinfolk::ClusterEvent;
use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn each_member_reports_a_leave_once_and_no_failure() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        fleet.leave(2).await;
        fleet.settle(LONG).await;
        fleet.assert_no_failure();
        let left = |entry: &kinfolk_scenarios::Entry| {
            matches!(&entry.event, ClusterEvent::NodeLeft { node } if node.id == fleet.id(2))
                .then(|| entry.by.clone())
        };
        let mut reports: Vec<_> = fleet.history.entries().iter().filter_map(left).collect();
        reports.sort();
        assert_eq!(reports, fleet.ids(&[0, 1, 2, 3, 4]));
        fleet.end().await
    });
}
