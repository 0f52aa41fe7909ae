//! Coming back after having been declared failed, and subjects that can be reached only now and then (`Mode::Verified`).

use std::collections::VecDeque;
use std::time::Duration;

use kinfolk_core::{NodeState, Reason};

use super::bench::{Bench, claim, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, NoReply};
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

fn bench(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench
}

/// The requests among the last outputs that `of` fits: which, and to whom.
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

/// Somebody says that we have failed, at our incarnation; the probes that we make then.
fn declared_failed(bench: &mut Bench) -> Vec<(u64, String)> {
    let (incarnation, _) = bench.known("me");
    bench.gossip("b", vec![claim("me", incarnation, NodeState::Failed, &["b"])]);
    pings(bench)
}

/// Of these probes so many are answered, and the others are not.
fn answer(bench: &mut Bench, probes: &[(u64, String)], answered: usize) {
    for (at, (request, to)) in probes.iter().enumerate() {
        if at < answered {
            bench.ack(*request, to);
        } else {
            bench.no_reply(*request, NoReply::Silent);
        }
    }
}

/// Lets time pass in which every probe is answered.
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
fn who_was_declared_failed_is_back_as_soon_as_seven_of_eight_probes_are_answered() {
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
fn tags_set_while_out_wait_for_the_return() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    let tags = kinfolk_core::Tags::new([("role", "db")]).unwrap();
    assert_eq!(bench.command(Command::SetTags(tags.clone())), "done TagsSet(Ok(()))\n");
    assert_eq!(bench.known("me"), (10, NodeState::Alive), "they do not bring us back");
    answer(&mut bench, &probes, 7);
    let mine = bench.machine.registry().get(&id("me")).unwrap();
    assert_eq!((mine.incarnation.get(), &mine.tags), (11, &tags));
}

#[test]
fn who_reaches_too_few_tries_again_in_a_second_and_stays_out_until_it_reaches_them() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 6);
    assert_eq!((bench.known("me").0, bench.machine.stats().trials_failed), (10, 1));
    declared_failed(&mut bench);
    assert_eq!(bench.machine.stats().trials_failed, 1, "to hear it again begins nothing");
    pass_well(&mut bench, Duration::from_millis(999));
    assert_eq!(bench.known("me").0, 10);
    pass_well(&mut bench, Duration::from_millis(2));
    assert_eq!(bench.known("me"), (11, NodeState::Alive));
}

#[test]
fn probes_that_a_limit_of_ours_prevented_say_nothing_and_with_nobody_to_try_there_is_no_trial() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    for (request, _) in &probes {
        bench.no_reply(*request, NoReply::Local);
    }
    assert_eq!(bench.known("me").0, 11);
    let mut alone = self::bench(&[]);
    assert!(declared_failed(&mut alone).is_empty());
    assert_eq!(alone.known("me").0, 11);
}

#[test]
fn who_fails_again_within_45_s_of_its_return_has_to_do_well_for_45_s() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 8);
    pass_well(&mut bench, SECOND * 30);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 8);
    assert_eq!(bench.machine.stats().probations, 1);
    pass_well(&mut bench, SECOND * 44);
    assert_eq!(bench.known("me").0, 11, "still out");
    pass_well(&mut bench, SECOND * 6);
    assert_eq!(bench.known("me"), (12, NodeState::Alive));
    pass_well(&mut bench, SECOND * 46);
    let probes = declared_failed(&mut bench);
    answer(&mut bench, &probes, 8);
    assert_eq!(bench.known("me").0, 13, "and 45 s later all is forgiven");
}

#[test]
fn a_suspicion_heard_after_a_long_silence_may_hide_a_failure_and_is_not_refuted_before_a_trial() {
    let mut bench = bench(&["a", "b", "c"]);
    pass_well(&mut bench, SECOND * 5);
    bench.gossip("b", vec![claim("me", 10, NodeState::Suspect, &["b"])]);
    assert_eq!(bench.known("me").0, 11, "in touch with others: refuted at once");
    bench.pass(SECOND * 6);
    bench.gossip("b", vec![claim("me", 11, NodeState::Suspect, &["b"])]);
    assert!(bench.known("me").0 == 11 && bench.machine.is_declared_failed());
}

#[test]
fn who_reaches_few_and_who_is_out_refutes_no_suspicion_without_a_trial_either() {
    let mut few = bench(&["a", "b", "c"]);
    let end = few.now + SECOND * 12;
    while few.machine.next_timeout().is_some_and(|at| at <= end) {
        few.tick();
        let one_in_four = usize::from(few.machine.stats().probes.is_multiple_of(4));
        let probes = pings(&few);
        answer(&mut few, &probes, one_in_four);
    }
    few.gossip("b", vec![claim("me", 10, NodeState::Suspect, &["b"])]);
    assert!(few.known("me").0 == 10 && few.machine.is_declared_failed());

    let mut out = bench(&["a", "b", "c"]);
    pass_well(&mut out, SECOND * 5);
    let probes = declared_failed(&mut out);
    out.gossip("b", vec![claim("me", 10, NodeState::Suspect, &["b"])]);
    assert_eq!(out.known("me").0, 10);
    answer(&mut out, &probes, 8);
    assert_eq!(out.known("me").0, 11);
}

#[test]
fn who_leaves_while_it_is_out_stays_out() {
    let mut bench = bench(&["a", "b", "c"]);
    let probes = declared_failed(&mut bench);
    bench.command(crate::interface::input::Command::Leave);
    answer(&mut bench, &probes, 8);
    bench.pass(SECOND * 10);
    assert_eq!(bench.known("me"), (10, NodeState::Left));
}

/// Lets time pass in which `a` answers nobody but, each time, the last of the witnesses; the others say `lossy`. A probe
/// that is not answered ends, as the driver ends it, after a second.
fn pass_with_losses(bench: &mut Bench, time: Duration, lossy: bool) {
    let end = bench.now + time;
    let mut lost = VecDeque::new();
    while bench.now < end {
        let over =
            lost.front().is_some_and(|(at, _)| bench.machine.next_timeout().is_none_or(|next| *at <= next));
        if over && let Some((at, request)) = lost.pop_front() {
            bench.now = at;
            bench.no_reply(request, NoReply::Silent);
        } else {
            bench.tick();
        }
        let witnesses = requests(bench, |message| matches!(message, Message::PingReq { .. }));
        for (request, to) in pings(bench) {
            if to == "a" {
                lost.push_back((bench.now + SECOND, request));
            } else {
                bench.ack(request, &to);
            }
        }
        if let Some(((request, to), nacks)) = witnesses.split_last() {
            for (request, to) in nacks {
                bench.reply(*request, to, Message::Nack { closed: false, lossy });
            }
            bench.ack(*request, to);
        }
    }
}

#[test]
fn a_subject_that_most_of_its_watchers_reach_only_now_and_then_is_declared_failed_and_says_why() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    pass_with_losses(&mut bench, SECOND * 60, true);
    assert_eq!((bench.known("a"), bench.machine.stats().lossy), ((1, NodeState::Failed), 1));
    let evidence = bench.machine.explain(&id("a"));
    let cause = &evidence.last().unwrap().cause;
    assert!(matches!(cause.reason, Reason::Lossy { answered: 0, probes: 12 }), "{cause}");
    assert!(cause.accusers.len() >= 3, "{cause}");
}

#[test]
fn a_path_of_ours_that_loses_everything_evicts_nobody_whom_the_other_watchers_find_well() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    pass_with_losses(&mut bench, SECOND * 60, false);
    assert!(bench.machine.owners.detection.is_lossy(&id("a")), "we find it so");
    assert_eq!((bench.known("a"), bench.machine.stats().lossy), ((1, NodeState::Alive), 0));
}
