//! Floods: of messages that must be verified, and of requests that have no answer. Each peer has
//! its share of the verification, and of the places for requests. So a flood costs the liar's share
//! alone.
//!
//! Virtual time does not pass while a member computes. So these scenarios show the order of the
//! work, and not its speed.

use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId, NodeStatus, Tags};
use kinfolk_core::signed::{Fingerprint, Proof};
use kinfolk_scenarios::{run, until};
use kinfolk_swim::{Message, Update, codec};
use kinfolk_transport::Peer;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::forge::Proving;
use super::liar::{Certificates, Liar, Lies, update};
use super::scene::{Scene, nowhere};

/// How long the flood takes.
const FLOOD: Duration = Duration::from_secs(5);
/// How many messages the liar sends to each member at a time.
const AT_A_TIME: usize = 2;

/// Changes the tags of a member, and returns how long the change takes to all honest views.
async fn spread(scene: &Scene, value: &str) -> Duration {
    let begin = Instant::now();
    scene.fleet.member(2).set_tag("load", value).await.expect("it runs");
    let members = scene.members();
    let is_known = || members.iter().all(|member| !member.nodes_with_tag("load", value).is_empty());
    while !is_known() {
        assert!(begin.elapsed() < FLOOD, "the change does not reach all");
        sleep(Duration::from_millis(1)).await;
    }
    begin.elapsed()
}

/// What the liar sends, again and again: mostly statements of invented names under invented
/// fingerprints, as many as fit; then forged statements of the victim. In the place of `None` it
/// sends a new valid statement of its own.
fn messages(liar: &Liar, victim: &NodeStatus) -> Vec<Option<Vec<Update>>> {
    let unknown = |number: usize| {
        let id = NodeId::new(&format!("invented-{number}")).expect("a label");
        let NodeStatus { incarnation, proof, .. } = liar.me();
        let certificate = Fingerprint::of(&number.to_be_bytes());
        let status = NodeStatus::alive(id, nowhere(0), incarnation, Tags::empty());
        update(NodeStatus { proof: Proof { certificate, ..proof }, ..status })
    };
    let moved = NodeStatus { addr: nowhere(0), ..victim.clone() };
    let forged = Proving::ALL.map(|proving| {
        let proof = proving.proof(&moved, &victim.proof, liar.identity());
        Some(vec![update(NodeStatus { proof, ..moved.clone() })])
    });
    let of_unknown = |message: usize| {
        let first = message * codec::UPDATES_MAX;
        Some((first..first + codec::UPDATES_MAX).map(unknown).collect())
    };
    (0..8).map(of_unknown).chain(forged).chain([None]).collect()
}

/// Sends one message after another until the flood ends. Virtual time passes only while a message
/// is on its way.
async fn flood(liar: Liar, to: Peer, messages: Vec<Option<Vec<Update>>>) {
    let begin = Instant::now();
    for message in messages.iter().cycle() {
        if begin.elapsed() >= FLOOD {
            return;
        }
        let gossip = message.clone().unwrap_or_else(|| vec![update(liar.restate(|_| {}))]);
        liar.send(&to, &Message::Gossip { gossip }).await;
    }
}

#[test]
fn flood_of_unverified_messages_does_not_delay_an_honest_change() {
    run(1, async |world| {
        let scene = Scene::new(world, 5).await;
        let calm = spread(&scene, "calm").await;
        scene.settle().await;
        let mut flooded = Duration::ZERO;
        scene
            .attack(async |scene| {
                let certificates = Certificates::Silence;
                scene.liar.set_lies(Lies { certificates, ..Lies::default() });
                let mut floods = JoinSet::new();
                let messages = messages(&scene.liar, &scene.statement(1));
                for peer in scene.peers().iter().flat_map(|peer| [peer; AT_A_TIME]) {
                    floods.spawn(flood(scene.liar.clone(), peer.clone(), messages.clone()));
                }
                scene.fleet.pass(FLOOD / 2).await;
                flooded = spread(scene, "flooded").await;
                floods.join_all().await;
            })
            .await;
        assert!(flooded <= 3 * calm + Duration::from_millis(10), "{flooded:?} after {calm:?}");
        for member in scene.members() {
            let stats = member.stats().gossip;
            assert!(stats.unverified_dropped > 0, "the liar has used up its share: {stats:?}");
            assert!(stats.forged > 0 && stats.unverifiable > 0 && stats.signatures > 0, "{stats:?}");
        }
        for entry in scene.fleet.history.entries() {
            assert!(!matches!(entry.event, ClusterEvent::NodeSuspected { .. }), "{entry}");
        }
        assert!(until(FLOOD, || scene.know_the_liar()).await);
        scene.end().await;
    });
}

/// How often the liar sends requests that have no answer, and how many at a time.
const ASKED_EVERY: Duration = Duration::from_millis(100);
const ASKED_AT_A_TIME: usize = 40;

/// A member keeps a request until it has answered it, for 15 s. It has 1,024 places, and each peer
/// has 256 streams. So four liars could take all places, and the member would decline the probes of
/// the others, as if it had failed. But it declines what it will not answer at once.
#[test]
fn requests_that_have_no_answer_take_no_place() {
    run(1, async |world| {
        let scene = Scene::new(world, 5).await;
        let (other, victim) = (scene.statement(0), scene.peers().remove(1));
        // A member can only join under the name in its certificate.
        let join = Message::Join { clock: other.incarnation, me: other.into() };
        let unanswered = [join, Message::Gossip { gossip: vec![] }];
        let unexpected = || scene.members()[1].stats().gossip.swim.unexpected;
        let before = unexpected();
        scene
            .attack(async |scene| {
                let begin = Instant::now();
                while begin.elapsed() < 3 * FLOOD {
                    let mut asked = JoinSet::new();
                    for number in 0..ASKED_AT_A_TIME {
                        let (liar, victim) = (scene.liar.clone(), victim.clone());
                        let message = unanswered[number % 2].clone();
                        asked
                            .spawn(async move { liar.ask_and_give_up(&victim, &message, ASKED_EVERY).await });
                    }
                    asked.join_all().await;
                    sleep(ASKED_EVERY).await;
                }
            })
            .await;
        assert!(unexpected() > before + 1_024, "the victim took in more than it has places for");
        scene.end().await;
    });
}
