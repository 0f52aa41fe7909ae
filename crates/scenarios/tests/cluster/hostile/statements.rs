//! What the liar says of itself, and other things that need a signature: descriptions, forget
//! updates, and broadcasts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk::{ClusterEvent, Incarnation, NodeState, NodeStatus, Tags};
use kinfolk_core::signed::Proof;
use kinfolk_scenarios::until;
use kinfolk_swim::{Message, Update, UserMessage};

use super::forge::Proving;
use super::liar::{Lies, update};
use super::scene::{Scene, with_scenes};
use crate::twice::LONG;

async fn gossip_to_all(scene: &Scene, gossip: &[Update]) {
    for peer in scene.peers() {
        scene.liar.send(&peer, &Message::Gossip { gossip: gossip.to_vec() }).await;
    }
}

/// The statement is the liar's own word, so all believe it. They contact the honest member when
/// they look for the liar, above all after the liar has ended.
#[test]
fn address_of_an_honest_member_as_ones_own_does_not_harm_it() {
    with_scenes(async |scene| {
        let seen = scene
            .attack(async |scene| {
                for victim in [0, scene.honest.len() - 1] {
                    let addr = scene.statement(victim).addr;
                    let lie = scene.liar.restate(|me| me.addr = addr);
                    gossip_to_all(scene, &[update(lie)]).await;
                    let moved = |view: &kinfolk::Cluster| {
                        view.members().get(scene.liar.id()).is_some_and(|liar| liar.addr == addr)
                    };
                    assert!(until(LONG, || scene.members().iter().all(moved)).await);
                    scene.fleet.pass(Duration::from_secs(5)).await;
                }
                scene.liar.crash();
            })
            .await;
        assert_eq!(seen.restatements(), 0, "nobody suspected an honest member");
        assert!(until(LONG, || !scene.know_the_liar()).await, "the liar does not answer there");
        scene.end().await;
    });
}

/// The victim's tags are too large for gossip. So its statement comes without them, and the members
/// ask the member for them that told them of the statement: here the liar.
#[test]
fn description_that_does_not_match_the_signed_hash_is_refused() {
    with_scenes(async |scene| {
        let victim = scene.honest.len() - 1;
        let before = scene.sum(|stats| stats.forged);
        let large = |text: &str| Tags::new([("large", text.repeat(2_000))]).unwrap();
        scene
            .attack(async |scene| {
                // The liar's own statement with the signature of another description.
                let own = scene.liar.me();
                let other = NodeStatus::alive(own.id.clone(), own.addr, own.incarnation, large("o"));
                scene.tell(&[NodeStatus { proof: own.proof, ..other }]).await;

                scene.fleet.member(victim).update_tags(large("t")).await.expect("it runs");
                let stated = scene.statement(victim);
                let NodeStatus { id, addr, incarnation, proof, .. } = stated.clone();
                let forged = NodeStatus { proof, ..NodeStatus::alive(id, addr, incarnation, large("f")) };
                let nodes = vec![Arc::new(forged)];
                let told = scene.liar.told().described;
                scene.liar.set_lies(Lies { nodes, ..Lies::default() });
                gossip_to_all(scene, &[update(stated.without_description())]).await;
                scene.fleet.pass(Duration::from_secs(1)).await;
                assert!(scene.liar.told().described > told, "some member asked the liar");
            })
            .await;
        scene.settle().await;
        let refused = scene.sum(|stats| stats.forged) - before;
        assert!(refused > 4 * scene.honest.len() as u64, "{refused}");
        scene.end().await;
    });
}

/// A forget update up to the statement of a live member is a claim that it failed, without effect
/// on those that hold it as a member. All beyond that is refused.
#[test]
fn forget_update_about_a_live_member_removes_it_from_no_view() {
    with_scenes(async |scene| {
        let victim = scene.honest.len() - 1;
        let own = scene.statement(victim);
        let forget = |status: NodeStatus, up_to: Incarnation| {
            let status = Arc::new(status.without_description());
            vec![Update::Forget { status, up_to }]
        };
        let failed = |at: Incarnation| NodeStatus { incarnation: at, ..own.with_state(NodeState::Failed) };
        let beyond = own.incarnation.next();
        let members = scene.honest.len() as u64;
        let (forged, undecodable) = (scene.sum(|stats| stats.forged), scene.sum(|stats| stats.undecodable));
        scene
            .attack(async |scene| {
                // Beyond the statement, or of a member: the codec refuses it.
                let alive = forget(own.clone(), own.incarnation);
                for gossip in [forget(failed(own.incarnation), beyond), alive] {
                    let bytes = Bytes::from(postcard::to_stdvec(&Message::Gossip { gossip }).unwrap());
                    for peer in scene.peers() {
                        scene.liar.send_bytes(&peer, bytes.clone()).await;
                    }
                }
                // A higher statement, or a leave, which the victim has not signed.
                for status in [failed(beyond), own.with_state(NodeState::Left)] {
                    for proving in Proving::ALL {
                        let proof = proving.proof(&status, &own.proof, scene.liar.identity());
                        let gossip = forget(NodeStatus { proof, ..status.clone() }, status.incarnation);
                        gossip_to_all(scene, &gossip).await;
                    }
                }
                scene.fleet.pass(Duration::from_secs(1)).await;
                assert_eq!(scene.sum(|stats| stats.undecodable) - undecodable, 2 * members);
                assert_eq!(scene.sum(|stats| stats.forged) - forged, 6 * members);
                assert_eq!(scene.statement(victim), own, "it need not refute what is not believed");

                // Its present statement, as it is.
                let gossip = forget(failed(own.incarnation), own.incarnation);
                for peer in scene.peers() {
                    scene.liar.send(&peer, &Message::Gossip { gossip: gossip.clone() }).await;
                    scene.liar.ask(&peer, &Message::Ping { digest: 0, gossip: gossip.clone() }).await;
                }
            })
            .await;
        assert!(scene.statement(victim).incarnation > own.incarnation, "the victim refutes it");
        scene.settle().await;
        scene.end().await;
    });
}

#[test]
fn broadcast_in_the_name_of_another_member_is_delivered_to_nobody() {
    with_scenes(async |scene| {
        let own = scene.statement(1);
        let forged = scene.sum(|stats| stats.forged);
        scene
            .attack(async |scene| {
                for number in [0, 1, u64::MAX] {
                    for proving in Proving::ALL {
                        let (origin, instance) = (own.id.clone(), own.incarnation);
                        let (payload, proof) = (Bytes::from_static(b"forged"), Proof::default());
                        let message = UserMessage { origin, instance, number, payload, proof };
                        let proof = proving.proof(&message, &own.proof, scene.liar.identity());
                        gossip_to_all(scene, &[Update::User(UserMessage { proof, ..message })]).await;
                    }
                }
            })
            .await;
        let refused = scene.sum(|stats| stats.forged) - forged;
        assert_eq!(refused, 9 * scene.honest.len() as u64);
        let is_broadcast = |event: &ClusterEvent| matches!(event, ClusterEvent::Broadcast { .. });
        assert!(!scene.fleet.history.entries().iter().any(|entry| is_broadcast(&entry.event)));
        scene.end().await;
    });
}
