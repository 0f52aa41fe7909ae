//! Statements that a member made once and does not make any more. Their signatures are valid.

use kinfolk::{NodeAddr, NodeState, NodeStatus};
use kinfolk_scenarios::World;

use super::scene::{Scene, with_scenes};

/// Replays these statements, also without description and with other verdicts. They are valid, so
/// they are not refused as forged. Returns how often members stated themselves again.
async fn replay(scene: &Scene, old: &[NodeStatus]) -> usize {
    let variants = |old: &NodeStatus| {
        let mut variants = vec![old.clone(), old.without_description()];
        if old.state == NodeState::Alive {
            variants.extend([NodeState::Suspect, NodeState::Failed].map(|state| old.with_state(state)));
        }
        variants
    };
    let lies: Vec<NodeStatus> = old.iter().flat_map(variants).collect();
    let before = scene.sum(|stats| stats.forged);
    let seen = scene.attack(async |scene| scene.tell(&lies).await).await;
    assert_eq!(scene.sum(|stats| stats.forged), before, "the statements are genuine");
    seen.restatements()
}

/// The last member changes its tags twice. Returns its former statements.
async fn change_tags(scene: &Scene) -> Vec<NodeStatus> {
    let victim = scene.honest.len() - 1;
    let mut former = Vec::new();
    for value in ["one", "two"] {
        former.push(scene.statement(victim));
        scene.fleet.member(victim).set_tag("changed", value).await.expect("it runs");
        scene.settle().await;
    }
    former
}

#[test]
fn replay_after_a_change_of_tags_brings_no_old_tags_back() {
    with_scenes(async |scene| {
        let former = change_tags(&scene).await;
        assert_eq!(replay(&scene, &former).await, 0, "nothing contradicts its present statement");
        scene.end().await;
    });
}

#[test]
fn replay_after_a_leave_brings_no_member_back() {
    with_scenes(async |mut scene| {
        let mut former = change_tags(&scene).await;
        let victim = scene.honest.pop().unwrap();
        former.push(
            scene.fleet.member(victim).members().get(&scene.fleet.id(victim)).unwrap().as_ref().clone(),
        );
        scene.gone.push(scene.fleet.id(victim));
        scene.fleet.leave(victim).await;
        scene.settle().await;
        let before = scene.contacts(NodeAddr::new(World::addr(victim)));
        assert_eq!(replay(&scene, &former).await, 0);
        assert_eq!(
            scene.contacts(NodeAddr::new(World::addr(victim))),
            before,
            "nobody contacts its former address"
        );
        scene.end().await;
    });
}

/// Ends the last member, gracefully or like a crash, and starts it at another address. Then the
/// statements of its former instance are replayed, also that it left.
async fn restart(mut scene: Scene, gracefully: bool) {
    let mut former = change_tags(&scene).await;
    let victim = scene.honest.len() - 1;
    former.push(scene.statement(victim));
    let (id, moved) = (scene.fleet.id(victim), World::addr(100));
    if gracefully {
        scene.fleet.stop(victim).await;
        let last = scene.fleet.member(0).members().get(&id).expect("its tombstone is kept").clone();
        assert_eq!(last.state, NodeState::Left);
        former.push(NodeStatus::clone(&last));
    } else {
        scene.fleet.crash(&[victim]).await;
    }
    scene.fleet.config(victim).listen = moved;
    scene.fleet.start_all(&[victim]).await;
    scene.settle().await;
    let before = scene.contacts(NodeAddr::new(World::addr(victim)));
    assert_eq!(replay(&scene, &former).await, 0, "the new instance outranks its former one");
    assert_eq!(
        scene.contacts(NodeAddr::new(World::addr(victim))),
        before,
        "nobody contacts its former address"
    );
    assert_eq!(scene.statement(victim).addr.socket(), moved);
    scene.end().await;
}

#[test]
fn replay_after_a_stop_and_a_restart_elsewhere_changes_no_view() {
    with_scenes(async |scene| restart(scene, true).await);
}

#[test]
fn replay_after_a_crash_and_a_restart_elsewhere_changes_no_view() {
    with_scenes(async |scene| restart(scene, false).await);
}
