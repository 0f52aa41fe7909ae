//! Accusations that were made before, by the liar and by honest members. Their signatures are
//! valid.

use std::time::Duration;

use kinfolk::NodeId;
use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_scenarios::{World, until};
use kinfolk_swim::Update;
use tokio::time::sleep;

use super::rhythm::{MINUTE, Rhythm, assert_few_suspicions, suspicions};
use super::scene::{Scene, with_each_quorum, with_scenes};
use crate::twice::LONG;

/// Replays accusations in all rhythms. Nobody raises its incarnation, and nobody is suspected.
async fn replay(scene: &Scene, old: &[Accusation]) {
    let gossip: Vec<Update> = old.iter().cloned().map(Update::Accusation).collect();
    let before = suspicions(scene);
    let seen = scene
        .attack_and_watch(MINUTE, async |scene| {
            for rhythm in Rhythm::ALL {
                rhythm.repeat(|_| scene.gossip_to_all(&gossip)).await;
            }
        })
        .await;
    assert_eq!(seen.restatements(), 0, "its present statement refutes the old accusations already");
    assert_eq!(suspicions(scene), before);
}

/// The liar accuses all members. Returns its accusations, when all have refuted them.
async fn refuted(scene: &Scene) -> Vec<Accusation> {
    scene.liar.learn(&scene.peers()[0]).await;
    let accuse = |id: &NodeId| {
        let known = scene.liar.heard_of(id).expect("the liar has heard of all");
        scene.liar.accuse(id, known.incarnation, Charge::PortClosed)
    };
    let accusations: Vec<Accusation> = scene.names().iter().map(accuse).collect();
    let gossip: Vec<Update> = accusations.iter().cloned().map(Update::Accusation).collect();
    scene.gossip_to_all(&gossip);
    let of = |accusation: &Accusation| scene.liar.heard_of(&accusation.subject).expect("it was known");
    let refuted = || accusations.iter().all(|one| of(one).incarnation > one.incarnation);
    assert!(until(LONG, refuted).await, "all refute");
    scene.settle().await;
    accusations
}

#[test]
fn replay_of_the_liars_refuted_accusations_has_no_effect() {
    with_scenes(async |scene| {
        let old = refuted(&scene).await;
        replay(&scene, &old).await;
        assert_few_suspicions(&scene);
        scene.end().await;
    });
}

#[test]
fn replay_of_the_liars_accusations_of_a_former_instance_has_no_effect() {
    with_scenes(async |mut scene| {
        let mut old = refuted(&scene).await;
        let victim = scene.honest.len() - 1;
        let id = scene.fleet.id(victim);
        // One that the victim has not refuted.
        let present = scene.statement(victim).incarnation;
        old.push(scene.liar.accuse(&id, present, Charge::PortClosed));
        scene.failed.push(id);
        scene.fleet.crash(&[victim]).await;
        scene.fleet.start_all(&[victim]).await;
        scene.settle().await;
        replay(&scene, &old).await;
        scene.end().await;
    });
}

/// Waits until all other honest members have declared this one failed, and the liar has heard
/// enough accusations for that.
async fn fails(scene: &mut Scene, victim: usize) -> Vec<Accusation> {
    let id = scene.fleet.id(victim);
    let others: Vec<NodeId> = scene.names().into_iter().filter(|name| *name != id).collect();
    let has_failed =
        || others.iter().all(|by| scene.fleet.history.failures().contains(&(by.clone(), id.clone())));
    assert!(until(LONG, has_failed).await, "{id} fails");
    sleep(Duration::from_secs(1)).await;
    let old = scene.liar.heard_accusations();
    let about =
        old.iter().filter(|accusation| accusation.subject == id && others.contains(&accusation.accuser));
    assert!(about.count() >= 2, "{old:?}");
    scene.failed.push(id);
    old
}

#[test]
fn replay_of_honest_accusations_after_a_return_has_no_effect() {
    with_each_quorum(async |mut scene| {
        let victim = scene.honest.len() - 1;
        scene.fleet.world.net.cut(&[World::ip(victim)], &others(&scene, victim));
        let old = fails(&mut scene, victim).await;
        scene.fleet.world.net.heal();
        scene.settle().await;
        replay(&scene, &old).await;
        scene.end().await;
    });
}

#[test]
fn replay_of_honest_accusations_after_a_restart_has_no_effect() {
    with_each_quorum(async |mut scene| {
        let victim = scene.honest.len() - 1;
        scene.fleet.crash(&[victim]).await;
        let old = fails(&mut scene, victim).await;
        scene.fleet.start_all(&[victim]).await;
        scene.settle().await;
        replay(&scene, &old).await;
        scene.end().await;
    });
}

/// The addresses of all machines but one, the liar's included.
pub(super) fn others(scene: &Scene, victim: usize) -> Vec<std::net::IpAddr> {
    (0..=scene.honest.len()).filter(|n| *n != victim).map(World::ip).collect()
}
