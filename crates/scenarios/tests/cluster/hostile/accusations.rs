//! Accusations of honest members that the liar signs itself. They are valid, and one makes a
//! suspicion. They make no failure, and soon nobody believes the liar any more.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk::{Incarnation, NodeId, NodeStatus};
use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_scenarios::{run, until};
use kinfolk_swim::Update;
use tokio::time::{Instant, sleep};

use super::forge::incarnations;
use super::rhythm::{MINUTE, Rhythm, assert_few_suspicions, assert_named, suspicions};
use super::scene::{Scene, with_all_quorums, with_each_quorum};
use super::watch::Seen;

/// All charges: also a silence that is not grave, and one that no member can know of.
const CHARGES: [Charge; 5] = [
    Charge::PortClosed,
    Charge::Lossy,
    Charge::Silent { for_ms: 0 },
    Charge::Silent { for_ms: u32::MAX },
    Charge::Silent { for_ms: 60_000 },
];

/// How long the messages are counted before an attack.
const CALM: Duration = Duration::from_secs(5);

/// Accuses all honest members in this rhythm. `at` has the incarnation for a victim's latest
/// statement, as the liar has learned it from the wire. Each victim gets another charge each time.
async fn accuse_all(scene: &Scene, rhythm: Rhythm, at: impl Fn(&NodeStatus) -> Incarnation) {
    // A signature takes long.
    let mut signed: BTreeMap<(NodeId, Incarnation, Charge), Accusation> = BTreeMap::new();
    let tell = |time: usize| {
        let victims = scene.names().into_iter().enumerate();
        let accusations = victims.map(|(number, id)| {
            let at = at(&scene.liar.heard_of(&id).expect("the liar has heard of all"));
            let charge = CHARGES[(time + number) % CHARGES.len()];
            let accusation = signed.entry((id.clone(), at, charge));
            Update::Accusation(accusation.or_insert_with(|| scene.liar.accuse(&id, at, charge)).clone())
        });
        scene.gossip_to_all(&accusations.collect::<Vec<_>>());
    };
    rhythm.repeat(tell).await;
}

/// The liar learns the statements of all.
async fn learn(scene: &Scene) {
    scene.liar.learn(&scene.peers()[0]).await;
    assert!(scene.names().iter().all(|id| scene.liar.heard_of(id).is_some()));
}

fn assert_few_refutations(seen: &Seen, max: usize) {
    for refutations in seen.restatements_of_each() {
        assert!(refutations <= max, "{refutations} of at most {max}");
    }
}

/// How many messages honest members send during this, and how many accusations are refuted.
async fn sent(scene: &Scene, during: impl AsyncFnOnce(&Scene)) -> (u64, u64) {
    let count = || (scene.sum(|stats| stats.sent), scene.sum(|stats| stats.swim.accusations_refuted));
    let before = count();
    during(scene).await;
    let after = count();
    (after.0 - before.0, after.1 - before.1)
}

/// Each victim refutes, and the liar accuses its new incarnation.
async fn accuse_present(scene: Scene, rhythm: Rhythm) {
    learn(&scene).await;
    let (calm, _) = sent(&scene, async |scene| scene.fleet.pass(CALM).await).await;
    let begin = Instant::now();
    let seen = scene
        .attack_and_watch(MINUTE, async |scene| {
            let attack = async |scene: &Scene| accuse_all(scene, rhythm, |known| known.incarnation).await;
            let (messages, refuted) = sent(scene, attack).await;
            // A victim answers with its statement, which takes some messages to reach all.
            let usual = calm * rhythm.lasts().as_secs() / CALM.as_secs();
            let more = 60 * scene.honest.len() as u64;
            assert!(messages <= usual + more, "{rhythm:?}: {messages} messages, {usual} without lies");
            assert!(rhythm == Rhythm::Once || refuted > 0);
            if rhythm != Rhythm::Once {
                assert_named(scene, begin).await;
            }
        })
        .await;
    // With five victims and more the liar is distrusted after two answers of each.
    assert_few_refutations(&seen, 4);
    assert!(suspicions(&scene) > 0, "a valid accusation is a suspicion");
    assert_few_suspicions(&scene);
    scene.end().await;
}

#[test]
fn one_accusation_of_each_member_evicts_nobody() {
    with_all_quorums(async |scene| accuse_present(scene, Rhythm::Once).await);
}

#[test]
fn accusations_each_second_evict_nobody_and_name_the_liar() {
    with_all_quorums(async |scene| accuse_present(scene, Rhythm::EachSecond).await);
}

#[test]
fn flood_of_accusations_evicts_nobody_and_names_the_liar() {
    with_all_quorums(async |scene| accuse_present(scene, Rhythm::Flood).await);
}

/// One victim alone. It answers the liar once in 2 s, so that takes the longest.
#[test]
fn accusations_of_one_member_each_second_name_the_liar() {
    with_each_quorum(async |scene| {
        learn(&scene).await;
        let (begin, victim) = (Instant::now(), scene.names().pop().unwrap());
        let seen = scene
            .attack_and_watch(MINUTE, async |scene| {
                let tell = |time: usize| {
                    let known = scene.liar.heard_of(&victim).unwrap();
                    let charge = CHARGES[time % CHARGES.len()];
                    let accusation = scene.liar.accuse(&victim, known.incarnation, charge);
                    scene.gossip_to_all(&[Update::Accusation(accusation)]);
                };
                Rhythm::EachSecond.repeat(tell).await;
                assert_named(scene, begin).await;
            })
            .await;
        assert_few_refutations(&seen, Rhythm::EachSecond.refutations_max());
        assert_few_suspicions(&scene);
        scene.end().await;
    });
}

/// The accusations hold against no statement, until the victim states itself again for another
/// reason.
#[test]
fn accusations_of_the_next_incarnation_evict_nobody() {
    with_each_quorum(async |scene| {
        learn(&scene).await;
        let seen = scene
            .attack_and_watch(MINUTE, async |scene| {
                accuse_all(scene, Rhythm::Once, |known| known.incarnation.next()).await;
                sleep(Duration::from_secs(1)).await;
                assert_eq!(suspicions(scene), 0, "nobody has stated that");
                for n in &scene.honest {
                    scene.fleet.member(*n).set_tag("changed", "it").await.expect("it runs");
                }
                accuse_all(scene, Rhythm::EachSecond, |known| known.incarnation.next()).await;
            })
            .await;
        // A victim knows the accusation, and refutes it together with its change.
        assert!(scene.sum(|stats| stats.swim.accusations_refuted) > 0, "they have stated it");
        assert_few_refutations(&seen, 5);
        assert_few_suspicions(&scene);
        scene.end().await;
    });
}

#[test]
fn accusations_of_incarnations_far_ahead_have_no_effect() {
    with_each_quorum(async |scene| {
        learn(&scene).await;
        let since_epoch = scene.fleet.world.since_epoch();
        let seen = scene
            .attack_and_watch(MINUTE, async |scene| {
                let [ahead, highest] = [2, 3];
                let at = |which: usize| move |known: &NodeStatus| incarnations(known, since_epoch)[which];
                // The highest first: they must not keep the others from being heard.
                accuse_all(scene, Rhythm::EachSecond, at(highest)).await;
                accuse_all(scene, Rhythm::Flood, at(ahead)).await;
            })
            .await;
        assert_few_refutations(&seen, 0);
        assert_eq!(suspicions(&scene), 0);
        scene.end().await;
    });
}

/// Between two attacks the liar is trusted again.
#[test]
fn liar_that_waits_until_it_is_trusted_again_evicts_nobody() {
    run(1, async |world| {
        let scene = Scene::new(world, 5).await;
        learn(&scene).await;
        scene
            .attack_and_watch(MINUTE, async |scene| {
                accuse_all(scene, Rhythm::EachSecond, |known| known.incarnation).await;
                let distrusted = || scene.sum(|stats| stats.swim.distrusted as u64);
                assert_eq!(distrusted(), 5);
                assert!(until(Duration::from_mins(10), || distrusted() == 0).await, "for ever");
                accuse_all(scene, Rhythm::EachSecond, |known| known.incarnation).await;
                assert_eq!(distrusted(), 5);
            })
            .await;
        assert_few_suspicions(&scene);
        scene.end().await;
    });
}
