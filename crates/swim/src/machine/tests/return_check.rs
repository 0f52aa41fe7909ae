//! Tests of the return after a declared failure, and of subjects with a lossy link
//! (`Mode::Verified`).

use std::collections::VecDeque;
use std::time::Duration;

use kinfolk_core::{NodeState, Reason};

use super::bench::{Bench, claim, describe, id, proof, quiet, suspicion};
use crate::interface::config::SwimConfig;
use crate::interface::input::NoReply;
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

fn bench(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench
}

/// The requests among the last outputs that fit `of`: their numbers and their receivers.
fn requests(bench: &Bench, of: fn(&Message) -> bool) -> Vec<(u64, String)> {
    let request = |output: &Output| match output {
        Output::Send { to, message, request: Some(request), .. } if of(message) => {
            Some((request.0, to.as_str().to_owned()))
        }
        _ => None,
    };
    bench.outputs.iter().filter_map(request).collect()
}

fn pings(bench: &Bench) -> Vec<(u64, String)> {
    requests(bench, |message| matches!(message, Message::Ping { .. }))
}

/// Other members prove that this member failed, at its present incarnation. Returns the probes that
/// follow.
fn declared_failed(bench: &mut Bench) -> Vec<(u64, String)> {
    let (incarnation, _) = bench.known("me");
    bench.gossip("b", proof("me", incarnation, &["b", "c"]));
    pings(bench)
}

/// Answers the first `answered` of these probes, and ends the others without an answer.
fn answer(bench: &mut Bench, probes: &[(u64, String)], answered: usize) {
    for (at, (request, to)) in probes.iter().enumerate() {
        if at < answered {
            bench.ack(*request, to);
        } else {
            bench.no_reply(*request, NoReply::Silent);
        }
    }
}

/// Lets time pass. Every probe is answered.
fn pass_well(bench: &mut Bench, time: Duration) {
    let end = bench.now + time;
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        bench.tick();
        let all = pings(bench);
        answer(bench, &all, all.len());
    }
    bench.now = end;
}

#[test]
fn failed_member_returns_after_seven_of_eight_answers() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    assert_eq!(probes.len(), 8);
    answer(&mut bench, &probes[..6], 6);
    assert_eq!(bench.known("me"), (10, NodeState::Alive), "not yet");
    answer(&mut bench, &probes[6..7], 1);
    assert_eq!(bench.known("me"), (11, NodeState::Alive));
    assert!(bench.machine.queue().is_waiting(&id("me")) && !bench.machine.is_declared_failed());
}

#[test]
fn tags_set_while_failed_wait_for_return() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    let tags = kinfolk_core::Tags::new([("role", "db")]).unwrap();
    assert_eq!(bench.command(describe(tags.clone())), "done Described(Ok(()))\n");
    assert_eq!(bench.known("me"), (10, NodeState::Alive), "new tags do not end the failed state");
    answer(&mut bench, &probes, 7);
    let mine = bench.machine.registry().get(&id("me")).unwrap();
    assert_eq!((mine.incarnation.get(), &mine.tags), (11, &tags));
}

#[test]
fn failed_trial_is_repeated_after_a_second() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 6);
    assert_eq!((bench.known("me").0, bench.machine.stats().return_checks_failed), (10, 1));
    declared_failed(&mut bench);
    assert_eq!(bench.machine.stats().return_checks_failed, 1, "the same claim again starts no trial");
    pass_well(&mut bench, Duration::from_millis(999));
    assert_eq!(bench.known("me").0, 10);
    pass_well(&mut bench, Duration::from_millis(2));
    assert_eq!(bench.known("me"), (11, NodeState::Alive));
}

/// A member with no peer to probe has no trial.
#[test]
fn locally_prevented_probes_do_not_fail_the_trial() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    for (request, _) in &probes {
        bench.no_reply(*request, NoReply::Local);
    }
    assert_eq!(bench.known("me").0, 11);
    let mut alone = self::bench(&["b", "c"]);
    alone.gossip("b", ["b", "c"].map(|name| claim(name, 1, NodeState::Left, &[])).into());
    assert!(declared_failed(&mut alone).is_empty());
    assert_eq!(alone.known("me").0, 11);
}

#[test]
fn second_failure_within_45_s_costs_45_s() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 8);
    pass_well(&mut bench, SECOND * 30);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 8);
    assert_eq!(bench.machine.stats().probations, 1);
    pass_well(&mut bench, SECOND * 44);
    assert_eq!(bench.known("me").0, 11, "still failed for the group");
    pass_well(&mut bench, SECOND * 6);
    assert_eq!(bench.known("me"), (12, NodeState::Alive));
    pass_well(&mut bench, SECOND * 46);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 8);
    assert_eq!(bench.known("me").0, 13, "45 s after the return a failure has no cost");
}

/// After a long silence the group may have declared this member failed already, and this member may
/// not have heard of it.
#[test]
fn suspicion_after_long_silence_needs_a_trial() {
    let mut bench = bench(&["a", "b", "c"]);
    pass_well(&mut bench, SECOND * 5);
    bench.gossip("b", vec![suspicion("me", 10, "b")]);
    assert_eq!(bench.known("me").0, 11, "refuted at once while others are heard from");
    bench.pass(SECOND * 6);
    bench.gossip("b", vec![suspicion("me", 11, "b")]);
    assert!(bench.known("me").0 == 11 && bench.machine.is_declared_failed());
}

/// So does a member that was declared failed.
#[test]
fn member_with_few_answers_refutes_after_a_trial() {
    let mut few = bench(&["a", "b", "c"]);
    let end = few.now + SECOND * 12;
    while few.machine.next_timeout().is_some_and(|at| at <= end) {
        few.tick();
        let one_in_four = usize::from(few.machine.stats().probes.is_multiple_of(4));
        let probes = pings(&few);
        answer(&mut few, &probes, one_in_four);
    }
    few.gossip("b", vec![suspicion("me", 10, "b")]);
    assert!(few.known("me").0 == 10 && few.machine.is_declared_failed());

    let mut out = bench(&["a", "b", "c"]);
    pass_well(&mut out, SECOND * 5);
    let probes = declared_failed(&mut out);
    out.gossip("b", vec![suspicion("me", 10, "b")]);
    assert_eq!(out.known("me").0, 10);
    answer(&mut out, &probes, 8);
    assert_eq!(out.known("me").0, 11);
}

#[test]
fn failed_member_that_leaves_does_not_return() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    bench.command(crate::interface::input::Command::Leave);
    answer(&mut bench, &probes, 8);
    bench.pass(SECOND * 10);
    assert_eq!(bench.known("me"), (10, NodeState::Left));
}

/// Lets time pass. `a` answers all witnesses of a round but the first, which answers with `lossy`.
/// A probe without an answer ends after a second, as the driver ends it.
fn pass_with_losses(bench: &mut Bench, time: Duration, lossy: bool) {
    let end = bench.now + time;
    let mut unanswered = VecDeque::new();
    while bench.now < end {
        let over = unanswered
            .front()
            .is_some_and(|(at, _)| bench.machine.next_timeout().is_none_or(|next| *at <= next));
        if over && let Some((at, request)) = unanswered.pop_front() {
            bench.now = at;
            bench.no_reply(request, NoReply::Silent);
        } else {
            bench.tick();
        }
        let witnesses = requests(bench, |message| matches!(message, Message::PingReq { .. }));
        for (request, to) in pings(bench) {
            if to == "a" {
                unanswered.push_back((bench.now + SECOND, request));
            } else {
                bench.ack(request, &to);
            }
        }
        if let Some(((request, to), acks)) = witnesses.split_first() {
            bench.reply(*request, to, Message::Nack { closed: false, lossy, accusation: None });
            for (request, to) in acks {
                bench.ack(*request, to);
            }
        }
    }
}

#[test]
fn lossy_subject_of_most_watchers_is_declared_failed() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    pass_with_losses(&mut bench, SECOND * 60, true);
    assert_eq!((bench.known("a"), bench.machine.stats().lossy), ((1, NodeState::Failed), 1));
    let evidence = bench.machine.explain(&id("a"));
    let cause = &evidence.last().unwrap().cause;
    assert!(matches!(cause.reason, Reason::Lossy { answered: 0, probes: 12 }), "{cause}");
    assert!(cause.accusers.len() >= 3, "{cause}");
}

#[test]
fn lossy_path_of_this_member_evicts_no_subject() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    pass_with_losses(&mut bench, SECOND * 60, false);
    assert!(bench.machine.owners.detection.is_lossy(&id("a")), "this member finds the subject lossy");
    assert_eq!((bench.known("a"), bench.machine.stats().lossy), ((1, NodeState::Alive), 0));
}

#[test]
fn one_of_eight_probes_may_stay_unanswered() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    bench.no_reply(probes[0].0, NoReply::Silent);
    answer(&mut bench, &probes[1..7], 6);
    assert_eq!(bench.known("me").0, 10);
    answer(&mut bench, &probes[7..], 1);
    assert_eq!((bench.known("me").0, bench.machine.stats().return_checks_failed), (11, 0));
    assert_eq!(bench.machine.stats().refutations, 1);
}

#[test]
fn probes_without_a_result_fail_at_the_timeout() {
    let mut bench = bench(&["a", "b", "c"]);
    declared_failed(&mut bench);
    bench.pass(Duration::from_millis(499));
    assert_eq!(bench.machine.stats().return_checks_failed, 0);
    bench.pass(Duration::from_millis(1));
    assert_eq!((bench.machine.stats().return_checks_failed, bench.known("me").0), (1, 10));
}

#[test]
fn answers_to_an_earlier_trial_do_not_count() {
    let mut bench = bench(&["a", "b", "c"]);
    let first = declared_failed(&mut bench);
    bench.pass(Duration::from_millis(1_501));
    assert_eq!(bench.machine.stats().return_checks_failed, 1);
    answer(&mut bench, &first, 8);
    assert_eq!(bench.known("me").0, 10);
}

#[test]
fn return_45_s_ago_costs_no_probation() {
    for (nanos, probations) in [(0, 0), (1, 1)] {
        let mut bench = bench(&["a", "b", "c"]);
        let probes = declared_failed(&mut bench);
        answer(&mut bench, &probes, 8);
        bench.now += (SECOND * 45).saturating_sub(Duration::from_nanos(nanos));
        declared_failed(&mut bench);
        assert_eq!(bench.machine.stats().probations, probations);
    }
}

/// Each trial takes half a second, in which no probe of it is answered.
#[test]
fn delay_after_failed_trials_doubles_to_a_minute() {
    let mut bench = bench(&["a", "b", "c"]);
    declared_failed(&mut bench);
    let (end, mut failed, mut gaps) = (bench.now + SECOND * 188, bench.now, Vec::new());
    while bench.now < end {
        let before = bench.machine.stats().return_checks_failed;
        bench.tick();
        if bench.machine.stats().return_checks_failed > before {
            gaps.push(bench.now.since(failed).as_millis());
            failed = bench.now;
        }
        for output in bench.outputs.clone() {
            if let Output::Send {
                to,
                message: Message::Ping { digest: 1.., .. },
                request: Some(request),
                ..
            } = output
            {
                bench.ack(request.0, to.as_str());
            }
        }
    }
    assert_eq!(gaps, [500, 1_500, 2_500, 4_500, 8_500, 16_500, 32_500, 60_500, 60_500]);
}

#[test]
fn witness_says_whether_it_finds_the_subject_lossy() {
    let says_lossy = |bench: &mut Bench| {
        let (target, gossip) = (id("a"), Vec::new());
        let wanted = Message::PingReq { target, within_ms: 500, nack: true, check_port: false, gossip };
        bench.message("b", wanted);
        let (request, _) = pings(bench)[0].clone();
        bench.no_reply(request, NoReply::Silent);
        let nack = bench.outputs.iter().find_map(|output| match output {
            Output::Reply { message: Message::Nack { lossy, .. }, .. } => Some(*lossy),
            _ => None,
        });
        nack.expect("the target did not answer")
    };
    let mut bench = bench(&["a", "b", "c", "d"]);
    assert!(!says_lossy(&mut bench));
    pass_with_losses(&mut bench, SECOND * 60, false);
    assert!(says_lossy(&mut bench));
}
