//! Tests of agents with a state directory: clusters that are killed or stopped and started again,
//! and directories that cannot be used.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;

use crate::cluster::TestCluster;
use crate::process::{Agent, DEADLINE, command, members, message, run};

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

fn dir(cluster: &TestCluster, name: &str) -> String {
    cluster.text(&format!("{name}-state"))
}

fn start(cluster: &TestCluster, name: &str, more: &[&str]) -> Agent {
    cluster.start(name, &[&["--state-dir", &dir(cluster, name)], more].concat())
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        // Sleeps because nothing signals a change of a file.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn remembers(dir: &str, name: &str) -> bool {
    let bytes = fs::read(Path::new(dir).join("kinfolk.state")).unwrap();
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

fn all_alive(cluster: &TestCluster) -> bool {
    let alive = NAMES.map(|name| (name.to_owned(), "alive".to_owned()));
    NAMES.iter().all(|name| members(&cluster.path(&format!("{name}.sock"))) == alive)
}

/// Starts three agents, and waits until the state file of each names all of them.
fn start_all(cluster: &TestCluster) -> Vec<Agent> {
    let mut agents = vec![start(cluster, "alpha", &[])];
    for name in &NAMES[1..] {
        let seed = agents[0].addr.clone();
        agents.push(start(cluster, name, &["--join", &seed]));
    }
    wait_until("each state file names all members", || {
        NAMES.iter().all(|name| NAMES.iter().all(|other| remembers(&dir(cluster, name), other)))
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
fn killed_cluster_forms_again_without_a_seed() {
    let cluster = TestCluster::new();
    let addrs = kill(&mut start_all(&cluster));
    let _agents: Vec<Agent> =
        NAMES.iter().zip(&addrs).map(|(name, addr)| start(&cluster, name, &["--listen", addr])).collect();
    wait_until("they are one cluster", || all_alive(&cluster));
}

#[test]
fn stopped_cluster_forms_again_without_a_seed() {
    let cluster = TestCluster::new();
    let mut agents = start_all(&cluster);
    let addrs: Vec<String> = agents.iter().map(|agent| agent.addr.clone()).collect();
    for agent in &mut agents {
        agent.signal(Signal::TERM);
        agent.end();
    }
    let agents: Vec<Agent> =
        NAMES.iter().zip(&addrs).map(|(name, addr)| start(&cluster, name, &["--listen", addr])).collect();
    agents[0].wait_for("that it rejoins", |line| message(line).contains("known from the state directory"));
    wait_until("they are one cluster", || all_alive(&cluster));
}

#[test]
fn a_left_agent_needs_a_seed_to_return() {
    let cluster = TestCluster::new();
    let mut agents = start_all(&cluster);
    let mut gamma = agents.pop().unwrap();
    let left = run(&["leave", "--socket", &cluster.text("gamma.sock")]);
    left.must_succeed();
    assert!(left.stdout.contains("left permanently"), "{}", left.stdout);
    gamma.end();
    let mut again = start(&cluster, "gamma", &[]);
    again.wait_for("that it waits", |line| message(line).contains("left permanently"));
    again.signal(Signal::KILL);
    again.end();
    // Another seed than that of its first instance: its name in the file shows that the file was
    // written again.
    let seed = agents[1].addr.clone();
    let mut again = start(&cluster, "gamma", &["--join", &seed]);
    wait_until("it is back", || all_alive(&cluster));
    wait_until("its return is in the state file", || remembers(&dir(&cluster, "gamma"), &seed));
    again.signal(Signal::KILL);
    again.end();
    let _again = start(&cluster, "gamma", &[]);
    wait_until("it is back by itself", || all_alive(&cluster));
}

#[test]
fn stop_is_a_leave_with_that_setting() {
    let cluster = TestCluster::new();
    let agents = start_all(&cluster);
    let mut delta = start(&cluster, "delta", &["--join", &agents[0].addr, "--rejoin-after-stop", "false"]);
    delta.wait_for("that it joined", |line| message(line) == "joined");
    delta.signal(Signal::TERM);
    delta.end();
    let again = start(&cluster, "delta", &[]);
    again.wait_for("that it waits", |line| message(line).contains("left permanently"));
}

#[test]
fn damaged_state_file_is_set_aside_with_a_warning() {
    let cluster = TestCluster::new();
    let dir = dir(&cluster, "alpha");
    fs::create_dir(&dir).unwrap();
    fs::write(Path::new(&dir).join("kinfolk.state"), "kinfolk\x02what is this").unwrap();
    let args = cluster.args("alpha", &["--state-dir", &dir]);
    cluster.issue("alpha");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let alpha = Agent::spawn(command(&args));
    let warning = alpha.wait_for("what it set aside", |line| message(line).contains("set aside"));
    assert!(warning["why"].as_str().unwrap().contains("checksum"), "{warning}");
    alpha.wait_for("that it started", |line| message(line) == "started");
    assert!(Path::new(&dir).join("kinfolk.state.corrupt-1").exists());
}

#[test]
fn unusable_state_directory_is_refused_by_name() {
    let cluster = TestCluster::new();
    let _alpha = start(&cluster, "alpha", &[]);
    cluster.issue("beta");
    let fails = |state: &str, words: &[&str]| {
        let args = cluster.args("beta", &["--state-dir", state]);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>()).must_fail(3, words);
    };
    fails(&dir(&cluster, "alpha"), &["alpha-state", "in use"]);
    fails(&cluster.text("ca.pem"), &["ca.pem", "making it"]);
    fails("/proc/none", &["/proc/none", "cannot be used"]);
}
