//! The recipes of `docs/operations.md` run as they stand: each command must succeed, and each line
//! that a comment waits for must come.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::DEADLINE;

const PAGE: &str = include_str!("../../../../docs/operations.md");

/// A line of a recipe.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Run(&'a str),
    /// Starts an agent, named as its certificate.
    Agent(&'a str),
    /// Waits until the log of this agent has this text again.
    Wait(&'a str, &'a str),
}

fn steps(page: &str) -> Vec<(&str, Step<'_>)> {
    let section = page.split("## The life of a certificate").nth(1).expect("the page has the section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let (mut recipe, mut inside, mut steps) = ("", false, Vec::new());
    for line in section.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            recipe = title;
        }
        match (line, inside) {
            ("```console", false) => inside = true,
            ("```", true) => inside = false,
            (line, true) => steps.push((recipe, step(line))),
            _ => {}
        }
    }
    steps
}

fn step(line: &str) -> Step<'_> {
    if let Some(command) = line.strip_prefix("$ ") {
        return match command.strip_suffix(" &") {
            Some(agent) => Step::Agent(agent),
            None => Step::Run(command),
        };
    }
    let wait = line.strip_prefix("# the log of ").and_then(|rest| rest.split_once(" has: "));
    let (agent, text) = wait.unwrap_or_else(|| panic!("a line that the test does not know: {line}"));
    Step::Wait(agent, text)
}

/// The agents of the recipes, and how far their logs were read.
struct Agents<'a> {
    folder: &'a Path,
    running: BTreeMap<String, Child>,
    read: BTreeMap<String, usize>,
}

impl Agents<'_> {
    fn shell(&self, command: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_kinfolk")).parent().unwrap().to_str().unwrap();
        let mut shell = Command::new("sh");
        shell.env_clear().env("PATH", format!("{program}:/usr/bin:/bin")).stdin(Stdio::null());
        shell.args(["-e", "-c", command]).current_dir(self.folder);
        shell
    }

    fn start(&mut self, command: &str) {
        let cert = command.split_once("--cert ").unwrap().1.split(' ').next().unwrap();
        let name = Path::new(cert).file_stem().unwrap().to_str().unwrap().to_owned();
        let log = std::fs::File::create(self.folder.join(format!("{name}.log"))).unwrap();
        let child = self.shell(&format!("exec {command}")).stdout(log).spawn().unwrap();
        self.running.insert(name, child);
    }

    /// Waits for `text` in the log of an agent, after what was waited for before.
    fn wait(&mut self, name: &str, text: &str) {
        let (path, deadline) = (self.folder.join(format!("{name}.log")), Instant::now() + DEADLINE);
        let from = self.read.entry(name.to_owned()).or_default();
        loop {
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some(at) = log[*from..].find(text) {
                *from += at + text.len();
                return;
            }
            assert!(Instant::now() < deadline, "the log of {name} does not have {text:?} again: {log}");
            // Sleeps because nothing signals a change of a file.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agents<'_> {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

/// The ports of the page, and free ones in their place.
fn with_free_ports(command: &str, ports: &[u16]) -> String {
    (0..).zip(ports).fold(command.to_owned(), |command, (number, port)| {
        command.replace(&format!("127.0.0.1:{}", 7_946 + number), &format!("127.0.0.1:{port}"))
    })
}

#[test]
fn recipes_run_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let sockets: Vec<UdpSocket> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
    drop(sockets);
    let steps = steps(PAGE);
    assert!(steps.len() > 40, "the page has its recipes: {steps:?}");
    let mut agents = Agents { folder: folder.path(), running: BTreeMap::new(), read: BTreeMap::new() };
    let mut views = Vec::new();
    for (recipe, step) in steps {
        match step {
            Step::Agent(command) => agents.start(&with_free_ports(command, &ports)),
            Step::Wait(agent, text) => agents.wait(agent, text),
            Step::Run(command) => {
                let output = agents.shell(command).output().unwrap();
                assert!(output.status.success(), "{recipe}: {command}: {output:?}");
                if command.starts_with("kinfolk members") {
                    views.push(String::from_utf8(output.stdout).unwrap());
                }
            }
        }
    }
    let [formed, replaced, revoked] = &views[..] else { panic!("the recipes show the members three times") };
    assert!(formed.contains("3 members") && replaced.contains("3 members"), "{formed} {replaced}");
    assert!(revoked.contains("2 members") && !revoked.contains("web-3"), "{revoked}");
    // Nobody was suspected: not for a new certificate, nor for a new authority.
    for name in ["web-1", "web-2"] {
        let log = std::fs::read_to_string(folder.path().join(format!("{name}.log"))).unwrap();
        let suspected: Vec<&str> =
            log.lines().filter(|line| line.contains("a member is suspected")).collect();
        assert!(suspected.iter().all(|line| line.contains("web-3")), "{suspected:?}");
    }
}
