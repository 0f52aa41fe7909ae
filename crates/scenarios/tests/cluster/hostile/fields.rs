//! Lies about the fields of another member's statement.

use super::forge::{Field, forged};
use super::scene::{Scene, nowhere, with_scenes};

/// Tells all lies about one field of some victims. The first victim is the seed of all.
async fn lie_about(scene: Scene, field: Field) {
    let before: Vec<u64> = scene.members().iter().map(|member| member.stats().gossip.forged).collect();
    let mut told = 0;
    let victims = [0, scene.honest.len() - 1];
    let seen = scene
        .attack(async |scene| {
            for victim in victims {
                let (liar, addr) = (scene.liar.identity(), nowhere(victim));
                let lies =
                    forged(&scene.statement(victim), field, (liar, addr, scene.fleet.world.since_epoch()));
                told += lies.len() as u64;
                scene.tell(&lies).await;
            }
        })
        .await;
    assert_eq!(seen.restatements(), 0, "nobody believed a lie about itself");
    for (member, before) in scene.members().iter().zip(before) {
        let refused = member.stats().gossip.forged - before;
        // Gossip, ping, page, and join.
        assert!(refused >= 4 * told, "{} refused {refused} of {told} lies", member.id());
    }
    let answers = scene.liar.told();
    let lies = told * scene.honest.len() as u64;
    assert!(answers.acks >= lies && answers.described >= lies && answers.exchanged > 0, "{answers:?}");
    scene.end().await;
}

#[test]
fn forged_address_of_another_member_changes_no_view() {
    with_scenes(async |scene| lie_about(scene, Field::Address).await);
}

#[test]
fn forged_tags_of_another_member_change_no_view() {
    with_scenes(async |scene| lie_about(scene, Field::Tags).await);
}

#[test]
fn forged_services_of_another_member_change_no_view() {
    with_scenes(async |scene| lie_about(scene, Field::Services).await);
}

#[test]
fn forged_condition_of_another_member_changes_no_view() {
    with_scenes(async |scene| lie_about(scene, Field::Condition).await);
}

#[test]
fn forged_coordinate_of_another_member_changes_no_view() {
    with_scenes(async |scene| lie_about(scene, Field::Coordinate).await);
}

#[test]
fn forged_leave_of_another_member_changes_no_view() {
    with_scenes(async |scene| lie_about(scene, Field::Leave).await);
}
