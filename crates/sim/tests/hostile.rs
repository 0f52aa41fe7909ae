//! Members with valid certificates send forged statements about others, and attack by strategies.
//! Nobody believes what is forged, and fewer liars than the quorum remove no honest member.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::{Proof, prove};
use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
use kinfolk_sim::hostile::{self, Attack, Collusion, Form, Schedule, Strategy};
use kinfolk_sim::{Fault, Kind, NodeIndex, Scenario, Step, Streams, Trace, World, checks, side_by_side};
use kinfolk_swim::{Buckets, Message, SwimConfig, Update, UserMessage};

/// The member that sends forged statements. It runs the protocol, too.
const LIAR: NodeIndex = NodeIndex(0);
/// About whom it tells lies.
const VICTIM: NodeIndex = NodeIndex(2);

/// Runs a group of each mode, size, and seed that has formed, with all invariants.
fn in_each_group(attack: impl Fn(World, usize)) {
    for config in [SwimConfig::verified(), SwimConfig::lifeguard()] {
        for nodes in [8, 32] {
            for seed in 1..=3 {
                let scenario = Scenario::bare(nodes, config.clone());
                let mut world = World::preformed(&scenario, seed, Trace::off(), checks(&scenario));
                run_for(&mut world, Duration::from_secs(5));
                attack(world, nodes);
            }
        }
    }
}

fn run_for(world: &mut World, time: Duration) {
    world.run_until(world.now() + time);
    assert_eq!(world.broken(), None);
}

fn known(world: &World, node: NodeIndex, of: NodeIndex) -> Arc<NodeStatus> {
    let view = world.registry(node).expect("all nodes run");
    view.get(&of.id()).unwrap_or_else(|| panic!("{node} misses {of}"))
}

/// False statements about a member and about one that does not exist. Each has the proof of a true
/// statement, a proof of the liar, or none.
fn forged(world: &World, truth: &NodeStatus) -> Vec<NodeStatus> {
    let addr = NodeAddr::new(([10, 66, 66, 66], 7_000).into());
    let tags = Tags::new([("role", "forged")]).expect("a short tag is within the bounds");
    let far_ahead = Incarnation::new(truth.incarnation.get() + 3_600_000);
    let said = |id: &NodeId, incarnation| {
        let alive = |addr, tags| NodeStatus::alive(id.clone(), addr, incarnation, tags);
        let left = alive(truth.addr, Tags::empty()).with_state(NodeState::Left);
        [alive(addr, Tags::empty()), alive(truth.addr, tags.clone()), left]
    };
    let incarnations = [truth.incarnation, truth.incarnation.next(), far_ahead];
    let mut lies: Vec<_> = incarnations.into_iter().flat_map(|at| said(&truth.id, at)).collect();
    let invented = NodeId::new("invented").expect("letters are a label");
    lies.extend(said(&invented, truth.incarnation));
    let with_proofs = |lie: NodeStatus| {
        let proofs = [truth.proof.clone(), prove(&world.key(LIAR), &lie), Proof::default()];
        proofs.map(|proof| NodeStatus { proof, ..lie.clone() })
    };
    lies.into_iter().flat_map(with_proofs).collect()
}

/// The messages that carry a lie. True statements go along, which must not help it.
fn messages(world: &World, lie: &NodeStatus) -> Vec<Message> {
    let (lie, mine) = (Arc::new(lie.clone()), known(world, LIAR, LIAR));
    let claim = |status: &Arc<NodeStatus>| Update::Node { status: Arc::clone(status), accusers: Vec::new() };
    let failed = lie.with_state(NodeState::Failed).without_description().into();
    let forget = Update::Forget { status: failed, up_to: lie.incarnation };
    let broadcast = UserMessage {
        origin: lie.id.clone(),
        instance: lie.incarnation,
        number: 0,
        payload: "forged".into(),
        proof: lie.proof.clone(),
    };
    let nodes = vec![Arc::clone(&mine), Arc::clone(&lie)];
    let mut messages = vec![
        Message::Gossip { gossip: vec![claim(&mine), claim(&lie)] },
        Message::Ping { digest: 0, gossip: vec![claim(&lie), claim(&mine)] },
        Message::Gossip { gossip: vec![Update::User(broadcast)] },
        Message::Sync { nodes: nodes.clone(), after: None, want: false, only: Buckets::ALL },
        Message::Page { nodes, more: false },
        Message::Join { clock: mine.incarnation, me: Arc::clone(&lie) },
    ];
    // With another verdict, the lie about a leave may be a true statement.
    if lie.state != NodeState::Left {
        messages.push(Message::Gossip { gossip: vec![forget] });
    }
    messages
}

/// All views hold what each member says about itself, and nothing else.
fn assert_views_are_true(world: &World, nodes: usize) {
    for node in (0..nodes).map(NodeIndex) {
        for of in (0..nodes).map(NodeIndex) {
            let (here, own) = (known(world, node, of), known(world, of, of));
            assert_eq!((&here, own.state), (&own, NodeState::Alive), "what {node} knows of {of}");
        }
        assert_eq!(world.registry(node).map(|view| view.len()), Some(nodes), "no invented name in {node}");
    }
}

#[test]
fn forged_statements_change_no_view_and_are_counted() {
    in_each_group(|mut world, nodes| {
        let truth = known(&world, LIAR, VICTIM);
        let mut sent = 0;
        for lie in forged(&world, &truth) {
            for message in messages(&world, &lie) {
                for to in (1..nodes).map(NodeIndex) {
                    world.inject(LIAR, to, message.clone());
                }
                sent += 1;
            }
            run_for(&mut world, Duration::from_millis(50));
            assert_eq!(known(&world, NodeIndex(1), VICTIM), truth);
        }
        run_for(&mut world, Duration::from_secs(90));
        for honest in (1..nodes).map(NodeIndex) {
            assert_eq!(world.traffic(honest).messages_refused, sent, "{honest}");
        }
        assert_views_are_true(&world, nodes);
        assert_eq!(known(&world, LIAR, VICTIM), truth);
        world.finish();
        assert_eq!(world.broken(), None);
    });
}

#[test]
fn member_that_joins_through_a_liar_learns_nothing_false() {
    in_each_group(|mut world, nodes| {
        let newcomer = NodeIndex(nodes - 1);
        let truth = known(&world, LIAR, VICTIM);
        let lies = forged(&world, &truth);
        world.tamper(LIAR, move |mut message| {
            if let Message::Page { nodes, .. } | Message::Sync { nodes, .. } = &mut message {
                let lie = lies[nodes.len() % lies.len()].clone();
                nodes.retain(|node| node.id != lie.id);
                nodes.push(lie.into());
            }
            message
        });
        world.act(&Step::Fault(Fault::Crash(newcomer)));
        run_for(&mut world, Duration::from_secs(1));
        world.act(&Step::Fault(Fault::Restart { node: newcomer, via: LIAR }));
        for _ in 0..600 {
            run_for(&mut world, Duration::from_millis(100));
            let view = world.registry(newcomer).unwrap().snapshot();
            for status in view.nodes() {
                let of = NodeIndex::of(&status.id).expect("no invented name");
                assert!(status.is_described_as(&known(&world, of, of)), "{status:?}");
            }
        }
        assert!(world.traffic(newcomer).messages_refused > 0);
        assert_views_are_true(&world, nodes);
    });
}

#[test]
/// Worlds in full detail check it in each run.
fn light_world_of_correct_members_refuses_nothing() {
    for kind in Kind::ALL {
        for (_, config) in Scenario::modes() {
            let scenario = Scenario::new(kind, 16, config, 7);
            let mut world = World::light(&scenario, 7);
            world.run_until(scenario.end);
            assert_eq!(world.traffic_of_all().messages_refused, 0, "{kind}, {}", scenario.mode());
        }
    }
}

/// Runs an attack with all invariants, from before it until all views are true again. Returns how
/// many grave accusations of honest members the liars kept.
fn attack(strategy: Strategy, nodes: usize, quorum: usize, seed: u64) -> usize {
    let config = SwimConfig { accusers_required: quorum, ..SwimConfig::verified() };
    let first = Streams::new(seed).faults.below(nodes);
    let liars: Vec<_> = (0..quorum - 1).map(|liar| NodeIndex((first + liar) % nodes)).collect();
    let scenario = Scenario::bare(nodes, config);
    let checks = hostile::checks(&scenario.config, &liars);
    let mut world = World::preformed(&scenario, seed, Trace::off(), checks);
    run_for(&mut world, Duration::from_secs(5));
    let mut attack = Attack::begin(&mut world, nodes, strategy, &liars, seed);
    attack.run(&mut world, Duration::from_secs(50), |_, _| ());
    world.run_until(world.now() + Duration::from_secs(40));
    world.finish();
    assert_eq!(world.broken(), None, "{strategy}, {nodes} members, quorum {quorum}, seed {seed}");
    attack.kept_grave()
}

/// Each with these sizes, with one liar fewer than the quorum, and with these seeds.
fn assert_harmless(strategies: &[Strategy], sizes: &[usize], seeds: u64) -> usize {
    let mut jobs = Vec::new();
    for strategy in strategies {
        for nodes in sizes {
            for quorum in [2, 3] {
                jobs.extend((1..=seeds).map(|seed| (*strategy, *nodes, quorum, seed)));
            }
        }
    }
    let run = |job: &(Strategy, usize, usize, u64)| attack(job.0, job.1, job.2, job.3);
    side_by_side(&jobs, run).into_iter().sum()
}

#[test]
fn false_verdicts_of_fewer_liars_than_the_quorum_remove_nobody() {
    let forms = [Form::Claim, Form::Accusation, Form::InventedAccuser];
    let slow = [Schedule::Once, Schedule::EachSecond];
    let strategies: Vec<_> =
        forms.into_iter().flat_map(|form| slow.map(|schedule| Strategy::Condemn(form, schedule))).collect();
    assert_harmless(&strategies, &[8, 32], 1);
    assert_harmless(&[Strategy::Suspect, Strategy::Forge], &[8, 32], 1);
    let floods = forms.map(|form| Strategy::Condemn(form, Schedule::Flood));
    assert_harmless(&floods, &[8], 1);
}

#[test]
fn repeated_accusations_of_honest_members_remove_nobody() {
    let kept = assert_harmless(&[Strategy::ReplayRefuted, Strategy::ReplayRestarted], &[8, 32], 2);
    assert!(kept > 0, "some were grave");
}

#[test]
fn false_witnesses_and_kept_testimonies_remove_nobody() {
    let kept = assert_harmless(&[Strategy::KeptTestimony], &[8, 32], 2);
    assert!(kept > 0, "some testimonies were grave");
    assert_harmless(&[Strategy::FalseWitness], &[8, 32], 1);
}

#[test]
fn member_that_is_made_to_forget_others_learns_of_them_again() {
    assert_harmless(&[Strategy::ForgetAtJoin], &[8, 32], 2);
}

#[test]
fn fewer_colluders_than_the_quorum_remove_nobody() {
    for (colluders, quorum) in [(1, 2), (2, 3), (3, 4)] {
        for nodes in [8, 32] {
            let collusion = Collusion { nodes, colluders, quorum, seed: 1 };
            let (one, all) = (collusion.one_by_one(4), collusion.all_at_once());
            assert_eq!((one.anywhere, all.anywhere), (0, 0), "{collusion:?}");
        }
    }
}

#[test]
fn quorum_of_colluders_removes_whom_the_rings_allow() {
    for (colluders, quorum) in [(1, 1), (2, 2), (3, 2)] {
        let removed = Collusion { nodes: 32, colluders, quorum, seed: 2 }.one_by_one(20);
        assert!(removed.able > 0);
        assert_eq!((removed.anywhere, removed.everywhere), (removed.able, removed.able), "{removed:?}");
    }
}
