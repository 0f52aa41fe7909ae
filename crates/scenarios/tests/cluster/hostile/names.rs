//! 10,000 invented names, in messages as large as the wire allows.

use std::sync::Arc;

use kinfolk::{NodeId, NodeStatus, Tags};
use kinfolk_core::signed::{Fingerprint, Proof, prove};
use kinfolk_swim::{Buckets, Message, Update, codec};
use tokio::task::JoinSet;

use super::forge::borrowed;
use super::liar::{Certificates, Lies, update};
use super::scene::{Scene, nowhere, with_scenes};

/// How many names are invented.
const NAMES: usize = 10_000;
/// The bytes of a message beside its nodes or updates: more than there are.
const ENVELOPE: usize = 128;

/// A statement of each invented name, with these proofs.
fn invented(scene: &Scene, proof: impl Fn(&NodeStatus) -> Proof) -> Vec<Arc<NodeStatus>> {
    let at = scene.liar.me().incarnation;
    let statement = |number: usize| {
        let id = NodeId::new(&format!("invented-{number}")).expect("a label");
        let status = NodeStatus::alive(id, nowhere(number % scene.honest.len()), at, Tags::empty());
        Arc::new(NodeStatus { proof: proof(&status), ..status })
    };
    (0..NAMES).map(statement).collect()
}

/// Splits the statements into messages of at most so many items and bytes.
fn messages(of: &[Arc<NodeStatus>], items_max: usize, bytes_max: usize) -> Vec<&[Arc<NodeStatus>]> {
    // Each update also has its kind and an empty list of accusers.
    let longest = of.iter().map(|status| codec::encoded_len(&**status) + 2).max().unwrap_or(1);
    of.chunks(((bytes_max - ENVELOPE) / longest).min(items_max)).collect()
}

fn gossip(of: &[Arc<NodeStatus>]) -> Vec<Update> {
    of.iter().map(|status| update(NodeStatus::clone(status))).collect()
}

/// Tells all members of all names in pages, and in gossip, in gossip on pings, and in answers each
/// name to some member.
async fn tell(scene: &Scene, names: &[Arc<NodeStatus>], certificates: Certificates) {
    let peers = scene.peers();
    let pages = messages(names, usize::MAX, codec::MESSAGE_BYTES_MAX);
    let updates = messages(names, codec::UPDATES_MAX, codec::GOSSIP_BYTES_MAX);
    assert!(pages.len() < NAMES / 200 && updates.len() <= NAMES / 20);
    for (number, page) in pages.iter().enumerate() {
        let lies = Lies {
            gossip: gossip(updates[number]),
            nodes: page.to_vec(),
            certificates: certificates.clone(),
            ..Lies::default()
        };
        scene.liar.set_lies(lies);
        let sync = Message::Sync { nodes: page.to_vec(), after: None, want: true, only: Buckets::ALL };
        let mut asked = JoinSet::new();
        for peer in peers.clone() {
            let (liar, sync) = (scene.liar.clone(), sync.clone());
            asked.spawn(async move { liar.ask(&peer, &sync).await });
        }
        scene.liar.be_pinged(&peers[number % peers.len()]).await;
        scene.liar.be_described(&peers).await;
        asked.join_all().await;
    }
    for (number, updates) in updates.iter().enumerate() {
        let (peer, gossip) = (&peers[number % peers.len()], gossip(updates));
        scene.liar.send(peer, &Message::Gossip { gossip: gossip.clone() }).await;
        scene.liar.ask(&peers[(number + 1) % peers.len()], &Message::Ping { digest: 0, gossip }).await;
    }
    let told = scene.liar.told();
    assert!(told.acks > 0 && told.described > 0, "{told:?}");
}

/// All messages with names that are proved by a known certificate of another name are refused.
async fn are_refused(scene: Scene, proof: impl Fn(&NodeStatus) -> Proof) {
    let names = invented(&scene, proof);
    let seen = scene.attack(async |scene| tell(scene, &names, Certificates::Decline).await).await;
    assert_eq!(seen.restatements(), 0);
    // 500 messages of gossip, 500 pings, and the pages.
    let refused = scene.sum(|stats| stats.forged);
    assert!(refused > 1_000, "{refused}");
    scene.end().await;
}

#[test]
fn names_signed_by_the_liar_create_no_member() {
    with_scenes(async |scene| {
        let liar = scene.liar.identity().clone();
        are_refused(scene, |name| prove(&liar.signer(), name)).await;
    });
}

#[test]
fn names_with_the_proof_of_another_statement_create_no_member() {
    with_scenes(async |scene| {
        let copied = scene.liar.me().proof;
        are_refused(scene, |_| copied.clone()).await;
    });
}

#[test]
fn names_with_the_fingerprint_of_an_honest_member_create_no_member() {
    with_scenes(async |scene| {
        let liar = scene.liar.identity().clone();
        let honest = scene.statement(1).proof.certificate;
        are_refused(scene, |name| borrowed(honest, name, &liar)).await;
    });
}

/// First the liar does not answer when it is asked for the certificates. Then it gives those that
/// it has: its own, and that of an honest member.
#[test]
fn names_with_invented_fingerprints_create_no_member() {
    with_scenes(async |mut scene| {
        let liar = scene.liar.identity().clone();
        let honest = scene.fleet.config(1).identity.certificate().der().clone();
        let names =
            invented(&scene, |name| borrowed(Fingerprint::of(name.id.as_str().as_bytes()), name, &liar));
        let (unanswered, given) = names.split_at(NAMES / 10);
        let seen = scene
            .attack(async |scene| {
                tell(scene, unanswered, Certificates::Silence).await;
                let own = liar.certificate().der().clone();
                tell(scene, given, Certificates::Give(vec![own, honest])).await;
            })
            .await;
        assert_eq!(seen.restatements(), 0);
        assert!(scene.liar.told().certificates > 0, "the members asked it for the certificates");
        let ignored = scene.sum(|stats| stats.unverifiable);
        assert!(ignored >= NAMES as u64, "{ignored}");
        assert_eq!(scene.sum(|stats| stats.forged), 0, "a missing certificate is no forgery");
        scene.end().await;
    });
}

/// The members ask for the certificates of 200 names, and the liar declines. They may ask again
/// while the names wait, 3 s at most, but must not do so all the time.
#[test]
fn declined_request_for_certificates_is_not_repeated_at_once() {
    with_scenes(async |scene| {
        let liar = scene.liar.identity().clone();
        let names =
            invented(&scene, |name| borrowed(Fingerprint::of(name.id.as_str().as_bytes()), name, &liar));
        scene
            .attack(async |scene| {
                let nodes = names[..200].to_vec();
                let sync = Message::Sync { nodes, after: None, want: true, only: Buckets::ALL };
                for peer in scene.peers() {
                    scene.liar.ask(&peer, &sync).await;
                }
            })
            .await;
        let asked = scene.liar.told().certificates;
        // Four requests name all of them.
        let bound = 4 * 12 * scene.honest.len() as u64;
        assert!((1..=bound).contains(&asked), "{} members asked {asked} times", scene.honest.len());
        scene.end().await;
    });
}
