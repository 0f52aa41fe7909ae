//! All seeds crash, and come back.

use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn a_cluster_outlives_all_its_seeds_and_takes_them_back() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::new(world, 6);
        fleet.seeds = vec![0, 1];
        fleet.start_all(&[0, 1, 2, 3, 4, 5]).await;
        fleet.settle(LONG).await;
        let rest = [2, 3, 4, 5];

        fleet.crash(&[0, 1]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&rest, &[0, 1])]);

        // They know of each other only; it is for the others to find them.
        fleet.start_all(&[0, 1]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&rest, &[0, 1])]);
        fleet.end().await
    });
}
