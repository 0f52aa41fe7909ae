//! Five members are cut into three and two, and come together again.

use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

#[test]
fn each_side_of_a_partition_holds_one_view_of_itself_and_all_hold_one_view_of_all_after_its_repair() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 5).await;
        let (three, two) = ([0, 1, 2], [3, 4]);
        fleet.world.net.cut(&three.map(World::ip), &two.map(World::ip));
        fleet.settle_apart(&[&three, &two], LONG).await;
        fleet.assert_failures(&[(&three, &two), (&two, &three)]);

        let before = fleet.history.failures().len();
        fleet.world.net.mend();
        fleet.settle(LONG).await;
        // A verdict of the other side may come to a member before its subject can refute it, which it then does. Nobody
        // falls for the same one twice.
        let mut told = fleet.history.failures().split_off(before);
        let count = told.len();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), count, "{told:?}");
        fleet.end().await
    });
}
