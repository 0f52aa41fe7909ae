//! The liar asks honest members what they hold against a member that is silent for a short time,
//! and passes that on with an accusation of its own.

use std::time::Duration;

use kinfolk_core::signed::Charge;
use kinfolk_scenarios::World;
use kinfolk_swim::Update;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::old_accusations::others;
use super::rhythm::{MINUTE, Rhythm};
use super::scene::{Scene, with_each_quorum};

/// How often the liar asks.
const EVERY: Duration = Duration::from_millis(250);
/// An answer arrives within this time.
const ANSWERED: Duration = Duration::from_millis(240);
/// Less than half of the default tolerated pause. No silence in it is grave.
const SHORT: Duration = Duration::from_millis(2_250);

/// When the liar passes on what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// While the member is silent.
    AtOnce,
    /// When it answers again.
    Later,
}

/// Nobody reaches the last member for this time. The liar collects accusations of it.
async fn collect(scene: Scene, when: When) {
    let victim = scene.honest.len() - 1;
    let id = scene.fleet.id(victim);
    scene.liar.learn(&scene.peers()[0]).await;
    scene
        .attack_and_watch(MINUTE, async |scene| {
            let begin = Instant::now();
            let known = scene.liar.heard_of(&id).expect("the liar has heard of all");
            let own = scene.liar.accuse(&id, known.incarnation, Charge::PortClosed);
            let mut collected = vec![Update::Accusation(own)];
            scene.fleet.world.net.cut(&[World::ip(victim)], &others(scene, victim));
            let mut ask_at = begin + EVERY;
            while ask_at + ANSWERED <= begin + SHORT {
                sleep_until(ask_at).await;
                let mut asked = JoinSet::new();
                for peer in scene.peers().into_iter().filter(|peer| peer.id != id) {
                    let (liar, id) = (scene.liar.clone(), id.clone());
                    asked.spawn(async move { liar.ask_for_testimony(&peer, &id).await });
                }
                let answers = asked.join_all().await.into_iter().flatten();
                collected.extend(answers.map(Update::Accusation));
                // The latest ones are the gravest.
                collected.drain(1..collected.len().saturating_sub(scene.honest.len()).max(1));
                if when == When::AtOnce {
                    scene.gossip_to_all(&collected);
                }
                ask_at += EVERY;
            }
            sleep_until(begin + SHORT).await;
            scene.fleet.world.net.heal();
            if when == When::Later {
                Rhythm::EachSecond.repeat(|_| scene.gossip_to_all(&collected)).await;
            }
        })
        .await;
    scene.end().await;
}

#[test]
fn testimonies_about_a_short_silence_evict_nobody_while_it_lasts() {
    with_each_quorum(async |scene| collect(scene, When::AtOnce).await);
}

#[test]
fn testimonies_about_a_short_silence_evict_nobody_after_it() {
    with_each_quorum(async |scene| collect(scene, When::Later).await);
}
