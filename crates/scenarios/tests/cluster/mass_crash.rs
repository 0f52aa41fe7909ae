//! Three of five members crash at the same moment.

use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn two_survivors_of_five_report_each_crash_once() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        fleet.crash(&[2, 3, 4]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&[0, 1], &[2, 3, 4])]);

        fleet.start_all(&[2, 3, 4]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&[0, 1], &[2, 3, 4])]);
        fleet.end().await
    });
}
