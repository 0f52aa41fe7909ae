//! What the liar says as a witness. A link between two honest members is cut or lossy. So each asks
//! others, the liar among them, whether they reach the other one.

use std::time::Duration;

use kinfolk::ClusterEvent;
use kinfolk_core::signed::Charge;
use kinfolk_scenarios::{Link, World, until};
use kinfolk_swim::{Message, Update};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::liar::{Lies, Testimony};
use super::old_accusations::others;
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

/// How many probes the liar wants of each member at a time, and how often. A helper gives up after
/// 8 s, so that fills its 256 places.
const WANTED: usize = 10;
const WANTED_EVERY: Duration = Duration::from_millis(250);

/// Each member makes a bounded number of probes for others. If the liar takes all places, the
/// watchers at the cut link have no witness. A nack of one that did not probe would be evidence.
#[test]
fn requests_that_fill_all_witnesses_evict_nobody() {
    with_each_quorum(async |scene| {
        let last = scene.honest.len() - 1;
        scene.liar.learn(&scene.peers()[0]).await;
        let refused = scene.sum(|stats| stats.swim.relays_refused);
        scene
            .attack_and_watch(MINUTE, async |scene| {
                scene.liar.set_lies(Lies { hides_from_helpers: true, ..Lies::default() });
                scene.fleet.world.net.cut(&[World::ip(last)], &[World::ip(last - 1)]);
                let begin = Instant::now();
                while begin.elapsed() < CUT {
                    let mut wanted = JoinSet::new();
                    for peer in scene.peers().into_iter().flat_map(|peer| std::iter::repeat_n(peer, WANTED)) {
                        let (liar, target) = (scene.liar.clone(), scene.liar.id().clone());
                        let (within_ms, gossip) = (10_000, Vec::new());
                        let probe =
                            Message::PingReq { target, within_ms, nack: true, check_port: true, gossip };
                        wanted.spawn(async move { liar.ask_and_give_up(&peer, &probe, WANTED_EVERY).await });
                    }
                    wanted.join_all().await;
                    sleep(WANTED_EVERY).await;
                    let accuse = |n: usize| {
                        let id = scene.fleet.id(n);
                        let known = scene.liar.heard_of(&id).expect("the liar has heard of all");
                        Update::Accusation(scene.liar.accuse(&id, known.incarnation, Charge::PortClosed))
                    };
                    scene.gossip_to_all(&[accuse(last), accuse(last - 1)]);
                }
                scene.fleet.world.net.heal();
            })
            .await;
        assert!(scene.sum(|stats| stats.swim.relays_refused) > refused, "it has used up its share");
        let liar = scene.liar.id();
        for entry in scene.fleet.history.entries() {
            let ClusterEvent::NodeSuspected { node, cause } = &entry.event else { continue };
            let by_liar = cause.accusers.iter().all(|accuser| accuser == liar);
            assert!(by_liar, "its watcher has witnesses that reach {}: {entry} {cause:?}", node.id);
        }
        scene.end().await;
    });
}

/// Within this time all honest members know of a crash, although the liar vouches for the member.
/// It can do so once for each watcher, which then needs a cycle of probes and the tolerated pause.
/// Which witnesses are asked is chance: `kinfolk-sim hostile` has the times of many crashes.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn witness_that_vouches_for_a_dead_member_hides_it_for_moments_only() {
    for closed in [true, false] {
        with_each_quorum(async |mut scene| {
            scene.liar.set_lies(Lies { testimony: Testimony::Vouch, ..Lies::default() });
            let victim = scene.honest.pop().expect("there are five");
            let id = scene.fleet.id(victim);
            let before = scene.liar.told().testimonies;
            if closed {
                scene.fleet.crash(&[victim]).await;
            } else {
                scene.fleet.world.net.cut(&[World::ip(victim)], &others(&scene, victim));
            }
            let know = || {
                let failures = scene.fleet.history.failures();
                scene.names().iter().all(|by| failures.contains(&(by.clone(), id.clone())))
            };
            assert!(
                until(KNOWN_WITHIN, know).await,
                "closed: {closed}, {:?}",
                scene.fleet.history.failures()
            );
            assert!(scene.liar.told().testimonies > before, "the liar was asked");
        });
    }
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
