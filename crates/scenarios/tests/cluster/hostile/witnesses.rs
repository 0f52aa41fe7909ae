//! What the liar says as a witness. A link between two honest members is cut or lossy. So each asks
//! others, the liar among them, whether they reach the other one.

use std::time::Duration;

use kinfolk_core::signed::Charge;
use kinfolk_scenarios::{Link, World};
use kinfolk_swim::Update;

use super::liar::{Lies, Testimony};
use super::rhythm::{MINUTE, Rhythm, assert_few_suspicions};
use super::scene::{Scene, with_each_quorum};

/// How long the link is cut.
const CUT: Duration = Duration::from_secs(20);

/// Cuts the links between the last member and the one before it while the liar answers so.
/// `accuses`: the liar also accuses both of them each second.
async fn cut(scene: Scene, testimony: Testimony, accuses: bool) {
    let last = scene.honest.len() - 1;
    scene.liar.learn(&scene.peers()[0]).await;
    let before = scene.liar.told().testimonies;
    scene
        .attack_and_watch(MINUTE, async |scene| {
            scene.liar.set_lies(Lies { testimony, ..Lies::default() });
            scene.fleet.world.net.cut(&[World::ip(last)], &[World::ip(last - 1)]);
            if accuses {
                let accuse = |n: usize| {
                    let id = scene.fleet.id(n);
                    let known = scene.liar.heard_of(&id).expect("the liar has heard of all");
                    Update::Accusation(scene.liar.accuse(&id, known.incarnation, Charge::PortClosed))
                };
                Rhythm::EachSecond.repeat(|_| scene.gossip_to_all(&[accuse(last), accuse(last - 1)])).await;
            }
            scene.fleet.pass(CUT).await;
            scene.fleet.world.net.heal();
        })
        .await;
    assert!(scene.liar.told().testimonies > before, "the liar was asked");
    assert_few_suspicions(&scene);
    scene.end().await;
}

#[test]
fn witness_that_accuses_each_subject_evicts_nobody() {
    with_each_quorum(async |scene| cut(scene, Testimony::Accuse, false).await);
}

#[test]
fn witness_that_answers_nothing_evicts_nobody() {
    with_each_quorum(async |scene| cut(scene, Testimony::Silence, false).await);
}

#[test]
fn accuser_that_is_also_a_witness_evicts_nobody() {
    with_each_quorum(async |scene| cut(scene, Testimony::Accuse, true).await);
}

/// All links lose every fifth packet. So there are silences everywhere, and real accusations.
#[test]
fn witness_that_accuses_each_subject_evicts_nobody_under_loss() {
    with_each_quorum(async |scene| {
        scene.liar.learn(&scene.peers()[0]).await;
        scene
            .attack_and_watch(MINUTE, async |scene| {
                scene.liar.set_lies(Lies { testimony: Testimony::Accuse, ..Lies::default() });
                scene.fleet.world.net.set_links(Link::lossy(0.2));
                scene.fleet.pass(MINUTE).await;
                scene.fleet.world.net.set_links(Link::GOOD);
            })
            .await;
        scene.end().await;
    });
}
