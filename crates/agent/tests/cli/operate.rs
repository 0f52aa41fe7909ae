//! Tests of a running agent in operation: signals, a rotated log, a full disk, a closed pipe, a
//! socket and a key with a wrong mode.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Instant;

use rustix::process::Signal;

use crate::cluster::TestCluster;
use crate::process::{Agent, DEADLINE, command, message, run};

/// Waits until the file holds this text.
#[track_caller]
fn wait_for_text(path: &str, text: &str) {
    let deadline = Instant::now() + DEADLINE;
    while !fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
        assert!(
            Instant::now() < deadline,
            "{path} does not contain {text:?}: {:?}",
            fs::read_to_string(path)
        );
        // Sleeps because nothing signals a change of a file.
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn sighup_opens_the_event_log_again() {
    let cluster = TestCluster::new();
    let (path, moved) = (cluster.text("events"), cluster.text("events.1"));
    let mut agent = cluster.start("a", &["--event-log", &path]);
    wait_for_text(&path, "started");
    fs::rename(&path, &moved).unwrap();
    agent.signal(Signal::HUP);
    agent.wait_for("that it is open", |line| message(line) == "opened the event log again");
    agent.signal(Signal::TERM);
    agent.end();
    wait_for_text(&path, "node_left");
    assert!(fs::read_to_string(&moved).unwrap().contains("started"));
}

#[test]
fn sigusr1_logs_the_state() {
    let cluster = TestCluster::new();
    let mut agent = cluster.start("a", &[]);
    agent.signal(Signal::USR1);
    let state = agent.wait_for("its state", |line| message(line) == "state");
    assert_eq!((state["node"].as_str(), state["alive"].as_u64()), (Some("a"), Some(1)), "{state}");
    // The signal does not stop the agent.
    agent.signal(Signal::USR1);
    agent.wait_for("its state again", |line| message(line) == "state");
    agent.signal(Signal::TERM);
    agent.end();
}

#[test]
fn agent_survives_the_end_of_its_log_reader() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let args = cluster.args("a", &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let deadline = Instant::now() + DEADLINE;
    while run(&["members", "--socket", &cluster.text("a.sock")]).status != Some(0) {
        assert!(Instant::now() < deadline, "the agent does not answer");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::USR1).unwrap();
    rustix::process::kill_process(pid, Signal::PIPE).unwrap();
    run(&["members", "--socket", &cluster.text("a.sock")]).must_succeed();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn full_disk_under_the_event_log_is_logged_once() {
    let cluster = TestCluster::new();
    let mut agent = cluster.start("a", &["--event-log", "/dev/full"]);
    let said =
        agent.wait_for("that it is full", |line| message(line).starts_with("cannot write the event log"));
    assert_eq!(said["path"].as_str(), Some("/dev/full"), "{said}");
    let _other = cluster.start("b", &["--join", &agent.addr]);
    agent.wait_for("the other one", |line| message(line) == "a member joined");
    agent.signal(Signal::USR1);
    let mut state = agent.wait_for("the state", |line| message(line) == "state");
    while state["event_log_lost"].as_u64() < Some(2) {
        agent.signal(Signal::USR1);
        state = agent.wait_for("the state", |line| {
            assert!(!message(line).starts_with("cannot write the event log"), "it is logged once");
            message(line) == "state"
        });
    }
    agent.signal(Signal::TERM);
    agent.end();
}

#[test]
fn closed_pipe_is_not_an_error() {
    let cluster = TestCluster::new();
    let _agent = cluster.start("a", &[]);
    let socket = cluster.text("a.sock");
    let out = cluster.text("other");
    for args in [
        &["members", "--socket", &socket][..],
        &["members", "--json", "--socket", &socket],
        &["--help"],
        &["agent", "--help"],
        &["ca", "init", &out, "--cluster", "other"],
        &["ca", "issue", &out, "a"],
        &["demo", "--nodes", "3", "--watch", "1"],
        &["demo", "--nodes", "3", "--watch", "1", "--json"],
    ] {
        let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn socket_of_another_user_has_its_own_message() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can take the identity of another user");
        return;
    }
    let cluster = TestCluster::new();
    let _agent = cluster.start("a", &[]);
    // The folder is open to all users, so only the mode of the socket prevents the connection.
    fs::set_permissions(cluster.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    let program = cluster.path("kinfolk");
    fs::copy(env!("CARGO_BIN_EXE_kinfolk"), &program).unwrap();
    let mut as_nobody = std::process::Command::new(&program);
    let output = as_nobody
        .env_clear()
        .args(["members", "--socket", &cluster.text("a.sock")])
        .uid(65_534)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.contains("permission denied; run this as the user of the agent, or as root"), "{text}");
}

#[test]
fn readable_private_key_gives_a_warning() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let key = cluster.path("a-key.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "as it is made");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let args = cluster.args("a", &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let agent = Agent::spawn(command(&args));
    let warned = agent.wait_for("the key", |line| message(line).contains("can read the private key"));
    assert_eq!((warned["level"].as_str(), warned["mode"].as_str()), (Some("WARN"), Some("0644")), "{warned}");
    assert!(message(&warned).contains("chmod 600"), "{warned}");
}

#[test]
fn own_address_as_seed_gives_no_warning() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for listen in [free.clone(), free.replace("127.0.0.1", "0.0.0.0")] {
        let args = cluster.args("a", &["--listen", &listen, "--advertise", &free, "--join", &free]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut agent = Agent::spawn(command(&args));
        agent.wait_for("that it waits", |line| {
            assert_ne!(line["level"].as_str(), Some("WARN"), "{line}");
            message(line).starts_with("the only seed is this node itself")
        });
        agent.signal(Signal::TERM);
        agent.end();
    }
}

/// Source: cortexproject/cortex#4591, grafana/pyroscope#5448.
#[test]
fn forgotten_member_is_removed_from_all_views() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let b = cluster.start("b", &["--join", &a.addr]);
    let mut c = cluster.start("c", &["--join", &a.addr]);
    b.wait_for_event("a member joined", "c");
    let (socket, other) = (cluster.text("a.sock"), cluster.text("b.sock"));
    let forget = |name: &str| run(&["forget", name, "--socket", &socket]);
    forget("c").must_fail(1, &["cannot forget c", "its state is alive", "stop it first"]);
    forget("nobody").must_fail(1, &["no member of that name is known here", "`members`"]);
    forget("a").must_fail(1, &["it is this member itself"]);
    forget("not a name").must_fail(2, &["not a name", "<NAME>"]);

    c.signal(Signal::KILL);
    c.end();
    b.wait_for_event("a member failed", "c");
    a.wait_for_event("a member failed", "c");
    let done = forget("c");
    done.must_succeed();
    assert_eq!(
        done.stdout,
        format!(
            "c at {} (failed) is removed here; the other members remove it within seconds, by gossip\n",
            c.addr
        )
    );
    a.wait_for_event("removed the tombstone of a member", "c");
    b.wait_for_event("removed the tombstone of a member", "c");
    for socket in [&socket, &other] {
        let all = run(&["members", "--all", "--socket", socket]);
        assert!(all.stdout.starts_with("2 members") && !all.stdout.contains("failed"), "{}", all.stdout);
    }
    forget("c").must_fail(1, &["no member of that name is known here"]);
}

/// Whether a text looks like Rust's debug output: a value, or a duration with its unit.
fn looks_like_debug(text: &str) -> bool {
    let is_duration = |word: &str| {
        let number = word.trim_end_matches(|c: char| c.is_alphabetic() || c == '\u{b5}');
        let unit = &word[number.len()..];
        number.contains('.') && number.parse::<f64>().is_ok() && ["s", "ms", "\u{b5}s", "ns"].contains(&unit)
    };
    let marks = ["Some(", "None", "NodeId(", " { ", "Ok(", "Err("];
    marks.iter().any(|mark| text.contains(mark)) || text.split([' ', ',', ';', '(', ')']).any(is_duration)
}

#[test]
fn log_lines_hold_no_debug_output() {
    assert!(looks_like_debug("took=1.234ms") || looks_like_debug("1.234ms"), "the check can fail");
    assert!(looks_like_debug("Some(3)") && !looks_like_debug("silent for 102 ms; accused by a, b"));
    let cluster = TestCluster::new();
    let a = cluster.start("a", &["--tag", "role=db"]);
    let mut b = cluster.start("b", &["--join", &a.addr, "--tag", "role=web"]);
    let c = cluster.start("c", &["--join", &a.addr]);
    let mut lines = vec![a.wait_for("both", |line| message(line) == "a member joined")];
    let mut read = |agent: &Agent, what: &str, wanted: &str| {
        let line = agent.wait_for(what, |line| {
            lines.push(line.clone());
            message(line) == wanted
        });
        lines.push(line.clone());
        line
    };
    read(&c, "that it joined", "joined");
    b.signal(Signal::KILL);
    b.end();
    read(&a, "the crash", "a member failed");
    a.signal(Signal::USR1);
    read(&a, "the state", "state");
    a.signal(Signal::TERM);
    for phase in [
        "broadcast leave",
        "stop gossip",
        "stop health checker",
        "close connections",
        "clear registry",
        "close events",
    ] {
        let line = read(&a, "a phase", "a phase of the shutdown ended");
        assert_eq!((line["phase"].as_str(), line["outcome"].as_str()), (Some(phase), Some("done")), "{line}");
        assert!(line["took_ms"].is_u64(), "{line}");
    }
    read(&a, "its end", "stopped");
    read(&c, "the leave", "a member left");
    for line in &lines {
        let texts = line.as_object().unwrap().iter().filter(|(name, _)| *name != "timestamp");
        for (name, text) in texts.filter_map(|(name, value)| Some((name, value.as_str()?))) {
            assert!(!looks_like_debug(text), "{name} in {line}");
        }
    }
}

#[test]
fn agent_without_trust_store_keeps_process_and_name() {
    let cluster = TestCluster::new();
    let mut agent = cluster.start("a", &[]);
    let process = format!("/proc/{}", agent.process());
    let environment = fs::read(format!("{process}/environ")).unwrap();
    for expected in ["SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/dev/null"] {
        assert!(environment.split(|byte| *byte == 0).any(|one| one == expected.as_bytes()), "{expected}");
    }
    assert_eq!(fs::read_to_string(format!("{process}/comm")).unwrap(), "kinfolk\n");
    agent.signal(Signal::TERM);
    assert!(agent.end().0.success());
}
