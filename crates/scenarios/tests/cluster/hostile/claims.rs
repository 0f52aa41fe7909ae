//! Claims that honest members are suspect, failed or left, without the proof that they need.

use std::sync::Arc;

use kinfolk::{NodeId, NodeState, NodeStatus};
use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_swim::Update;
use tokio::time::Instant;

use super::forge::{borrowed, incarnations};
use super::rhythm::{MINUTE, Rhythm, assert_named, suspicions};
use super::scene::{Scene, with_scenes};

const VERDICTS: [NodeState; 3] = [NodeState::Suspect, NodeState::Failed, NodeState::Left];

/// Claims about all members, with their present statements and proofs, and with invented accusers.
/// One list for each incarnation and verdict.
fn claims(scene: &Scene) -> Vec<Vec<Update>> {
    let since_epoch = scene.fleet.world.since_epoch();
    let statements: Vec<NodeStatus> = scene.honest.iter().map(|n| scene.statement(*n)).collect();
    let mut accusers = scene.names();
    accusers.truncate(3);
    accusers.push(NodeId::new("invented").expect("a label"));
    let claim = |statement: &NodeStatus, at: usize, state: NodeState| {
        let incarnation = incarnations(statement, since_epoch)[at];
        let status = NodeStatus { incarnation, ..statement.with_state(state) };
        Update::Node { status: Arc::new(status), accusers: accusers.clone() }
    };
    let all = (0..4).flat_map(|at| VERDICTS.map(|state| (at, state)));
    all.map(|(at, state)| statements.iter().map(|one| claim(one, at, state)).collect()).collect()
}

/// Asserts that an attack had no effect but a few refutations of each victim.
async fn attack(scene: &Scene, rhythm: Rhythm, lies: impl Fn(&Scene) -> Vec<Vec<Update>>) {
    let begin = Instant::now();
    let seen = scene
        .attack_and_watch(MINUTE, async |scene| {
            let tell = |time: usize| {
                let lies = lies(scene);
                // A flood has no time for all of them at each time.
                let some = if rhythm == Rhythm::Flood {
                    vec![&lies[time % lies.len()]]
                } else {
                    lies.iter().collect()
                };
                for lie in some {
                    scene.gossip_to_all(lie);
                }
            };
            rhythm.repeat(tell).await;
            if rhythm != Rhythm::Once {
                assert_named(scene, begin).await;
            }
        })
        .await;
    for refutations in seen.restatements_of_each() {
        assert!(refutations <= rhythm.refutations_max(), "{rhythm:?}: {refutations}");
    }
    assert_eq!(suspicions(scene), 0, "a claim without proof is no suspicion");
}

#[test]
fn claims_of_failures_without_accusations_change_no_view_and_name_the_liar() {
    for rhythm in Rhythm::ALL {
        with_scenes(async |scene| {
            attack(&scene, rhythm, claims).await;
            assert!(scene.sum(|stats| stats.swim.claims_unproved) > 0);
            scene.end().await;
        });
    }
}

/// Their statements are true, so each message verifies.
#[test]
fn suspicions_of_invented_accusers_change_no_view_and_name_the_liar() {
    let of_suspects = |scene: &Scene| vec![claims(scene).swap_remove(0)];
    for rhythm in [Rhythm::EachSecond, Rhythm::Flood] {
        with_scenes(async |scene| {
            attack(&scene, rhythm, of_suspects).await;
            assert_eq!(scene.sum(|stats| stats.forged), 0);
            scene.end().await;
        });
    }
}

/// The same by all other ways: on a ping, in a join, in a page, and in the answers.
#[test]
fn claims_of_failures_in_pages_joins_and_answers_change_no_view() {
    with_scenes(async |scene| {
        let since_epoch = scene.fleet.world.since_epoch();
        scene
            .attack_and_watch(MINUTE, async |scene| {
                for victim in [0, scene.honest.len() - 1] {
                    let statement = scene.statement(victim);
                    let lies: Vec<NodeStatus> = incarnations(&statement, since_epoch)
                        .into_iter()
                        .flat_map(|incarnation| {
                            VERDICTS.map(|state| NodeStatus { incarnation, ..statement.with_state(state) })
                        })
                        .collect();
                    scene.tell(&lies).await;
                }
            })
            .await;
        assert_eq!(suspicions(&scene), 0);
        scene.end().await;
    });
}

/// Accusations in the names of honest members and of members that do not exist, with the liar's
/// signature under the fingerprint of the liar, and under that of the accuser.
fn invented(scene: &Scene) -> Vec<Vec<Update>> {
    let statements: Vec<NodeStatus> = scene.honest.iter().map(|n| scene.statement(*n)).collect();
    let own = scene.liar.me().proof.certificate;
    let nobody = NodeStatus { id: NodeId::new("invented").expect("a label"), ..statements[0].clone() };
    let lies = |accuser: &NodeStatus| {
        let accusation = |subject: &NodeStatus, certificate| {
            let unsigned = Accusation {
                subject: subject.id.clone(),
                incarnation: subject.incarnation,
                accuser: accuser.id.clone(),
                accuser_incarnation: accuser.incarnation,
                charge: Charge::PortClosed,
                proof: subject.proof.clone(),
            };
            let proof = borrowed(certificate, &unsigned, scene.liar.identity());
            Update::Accusation(Accusation { proof, ..unsigned })
        };
        let subjects = || statements.iter().filter(|subject| subject.id != accuser.id);
        [own, accuser.proof.certificate].map(|by| subjects().map(|subject| accusation(subject, by)).collect())
    };
    statements.iter().chain([&nobody]).flat_map(lies).collect()
}

#[test]
fn accusations_in_the_names_of_others_change_no_view() {
    with_scenes(async |scene| {
        attack(&scene, Rhythm::EachSecond, invented).await;
        assert!(scene.sum(|stats| stats.forged) > 0);
        assert_eq!(scene.sum(|stats| stats.swim.accusations), 0, "none is believed");
        scene.end().await;
    });
}
