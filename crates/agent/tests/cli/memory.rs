//! Agents that remember: a whole cluster is killed and started again, and what is wrong with a directory is told.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;

use crate::process::{Agent, DEADLINE, command, members, message, run};
use crate::town::Town;

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

fn dir(town: &Town, name: &str) -> String {
    town.text(&format!("{name}-state"))
}

fn start(town: &Town, name: &str, more: &[&str]) -> Agent {
    town.start(name, &[&["--state-dir", &dir(town, name)], more].concat())
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        // Sleeps because a file has no event here; the deadline is what bounds the wait.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn remembers(dir: &str, name: &str) -> bool {
    let bytes = fs::read(Path::new(dir).join("kinfolk.state")).unwrap();
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

fn all_alive(town: &Town) -> bool {
    let alive = NAMES.map(|name| (name.to_owned(), "alive".to_owned()));
    NAMES.iter().all(|name| members(&town.path(&format!("{name}.sock"))) == alive)
}

/// Three agents, each of which has written down the others.
fn acquainted(town: &Town) -> Vec<Agent> {
    let mut agents = vec![start(town, "alpha", &[])];
    for name in &NAMES[1..] {
        let seed = agents[0].addr.clone();
        agents.push(start(town, name, &["--join", &seed]));
    }
    wait_until("each remembers the others", || {
        NAMES.iter().all(|name| NAMES.iter().all(|other| remembers(&dir(town, name), other)))
    });
    agents
}

fn kill(agents: &mut [Agent]) -> Vec<String> {
    for agent in agents.iter() {
        agent.signal(Signal::KILL);
    }
    for agent in agents.iter_mut() {
        agent.end();
    }
    agents.iter().map(|agent| agent.addr.clone()).collect()
}

#[test]
fn a_cluster_that_was_killed_whole_is_one_again_without_a_seed() {
    let town = Town::new();
    let addrs = kill(&mut acquainted(&town));
    let _agents: Vec<Agent> =
        NAMES.iter().zip(&addrs).map(|(name, addr)| start(&town, name, &["--listen", addr])).collect();
    wait_until("they are one cluster", || all_alive(&town));
}

#[test]
fn a_stopped_fleet_is_one_cluster_again_without_a_seed() {
    let town = Town::new();
    let mut agents = acquainted(&town);
    let addrs: Vec<String> = agents.iter().map(|agent| agent.addr.clone()).collect();
    for agent in &mut agents {
        agent.signal(Signal::TERM);
        agent.end();
    }
    let agents: Vec<Agent> =
        NAMES.iter().zip(&addrs).map(|(name, addr)| start(&town, name, &["--listen", addr])).collect();
    agents[0].wait_for("that it rejoins", |line| message(line).contains("known from the state directory"));
    wait_until("they are one cluster", || all_alive(&town));
}

#[test]
fn a_left_agent_needs_a_seed_to_return() {
    let town = Town::new();
    let mut agents = acquainted(&town);
    let mut gamma = agents.pop().unwrap();
    let left = run(&["leave", "--socket", &town.text("gamma.sock")]);
    left.must_succeed();
    assert!(left.stdout.contains("has left for good"), "{}", left.stdout);
    gamma.end();
    let mut again = start(&town, "gamma", &[]);
    again.wait_for("that it waits", |line| message(line).contains("left for good"));
    again.signal(Signal::KILL);
    again.end();
    // Not the seed of its first instance, so that the file tells when it is written.
    let seed = agents[1].addr.clone();
    let mut again = start(&town, "gamma", &["--join", &seed]);
    wait_until("it is back", || all_alive(&town));
    wait_until("its return is written down", || remembers(&dir(&town, "gamma"), &seed));
    again.signal(Signal::KILL);
    again.end();
    let _again = start(&town, "gamma", &[]);
    wait_until("it is back by itself", || all_alive(&town));
}

#[test]
fn a_stop_is_a_leave_if_the_setting_says_so() {
    let town = Town::new();
    let agents = acquainted(&town);
    let mut delta = start(&town, "delta", &["--join", &agents[0].addr, "--rejoin-after-stop", "false"]);
    delta.wait_for("that it joined", |line| message(line) == "joined");
    delta.signal(Signal::TERM);
    delta.end();
    let again = start(&town, "delta", &[]);
    again.wait_for("that it waits", |line| message(line).contains("left for good"));
}

#[test]
fn a_state_file_that_is_damaged_is_set_aside_with_a_warning() {
    let town = Town::new();
    let dir = dir(&town, "alpha");
    fs::create_dir(&dir).unwrap();
    fs::write(Path::new(&dir).join("kinfolk.state"), "kinfolk\x01what is this").unwrap();
    let args = town.args("alpha", &["--state-dir", &dir]);
    town.issue("alpha");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let alpha = Agent::spawn(command(&args));
    let told = alpha.wait_for("what it set aside", |line| message(line).contains("set aside"));
    assert!(told["why"].as_str().unwrap().contains("checksum"), "{told}");
    alpha.wait_for("that it started", |line| message(line) == "started");
    assert!(Path::new(&dir).join("kinfolk.state.corrupt-1").exists());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_refused_by_name() {
    let town = Town::new();
    let _alpha = start(&town, "alpha", &[]);
    town.issue("beta");
    let fails = |state: &str, words: &[&str]| {
        let args = town.args("beta", &["--state-dir", state]);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>()).must_fail(3, words);
    };
    fails(&dir(&town, "alpha"), &["alpha-state", "in use"]);
    fails(&town.text("ca.pem"), &["ca.pem", "making it"]);
    fails("/proc/none", &["/proc/none", "cannot be used"]);
}
