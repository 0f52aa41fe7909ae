//! All seeds crash, and come back.

use std::time::Duration;

use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

#[test]
fn cluster_survives_a_crash_of_all_seeds() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::new(world, 6);
        fleet.seeds = vec![0, 1];
        fleet.start_all(&[0, 1, 2, 3, 4, 5]).await;
        fleet.settle(LONG).await;
        let rest = [2, 3, 4, 5];

        fleet.crash(&[0, 1]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&rest, &[0, 1])]);

        // Each seed knows only the other seed. The other members must contact them.
        fleet.start_all(&[0, 1]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&rest, &[0, 1])]);
        fleet.end().await
    });
}

#[test]
fn unlimited_join_waits_for_late_seeds() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        fleet.config(2).join.attempts = None;
        let late = fleet.start(2);
        let seeds = [World::addr(0).to_string(), World::addr(1).to_string()];
        let join = async {
            late.join(&seeds).await.expect("they come in the end");
        };
        let others = async {
            fleet.pass(Duration::from_mins(10)).await;
            fleet.start_all(&[0, 1]).await;
        };
        tokio::join!(join, others);
        fleet.settle(LONG).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}
