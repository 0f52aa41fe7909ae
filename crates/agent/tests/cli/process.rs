//! The program as a process: run to its end, or kept running while its log is read.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The time limit of each wait: more than any step takes on the slowest machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with an empty environment, so that settings of the test run do not reach it.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinfolk"));
    command.env_clear().args(args).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Run {
    let output = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Run {
    /// Asserts that the run failed with this status, and with one line that contains all `words`.
    #[track_caller]
    pub(crate) fn must_fail(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:#?}");
        is_one_line(&self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {:?}", self.stderr);
        }
    }

    #[track_caller]
    pub(crate) fn must_succeed(&self) {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:#?}");
    }
}

#[track_caller]
pub(crate) fn is_one_line(stderr: &str) {
    assert!(stderr.starts_with("kinfolk: ") && stderr.ends_with('\n'), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// A running agent with a JSON log. Dropping it kills the process.
pub(crate) struct Agent {
    child: Child,
    log: Receiver<Value>,
    /// The address that it listens on, from its line `started`.
    pub(crate) addr: String,
}

impl Agent {
    /// Starts an agent and waits for its line `started`.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut agent = Self::spawn(command(args));
        let started = agent.wait_for("started", |line| message(line) == "started");
        started["addr"].as_str().unwrap().clone_into(&mut agent.addr);
        agent
    }

    /// Starts an agent without waiting for anything.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .args(["--log-format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if lines.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, log, addr: String::new() }
    }

    /// Waits for the next line of the log that is `wanted`. Skips the lines before it.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        let mut passed = Vec::new();
        while let Ok(line) = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if wanted(&line) {
                return line;
            }
            passed.push(line);
        }
        panic!("no log line for: {what}: {passed:#?}");
    }

    /// Waits for the line with the message `said` about `node`.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, said: &str, node: &str) -> Value {
        self.wait_for(&format!("{said} ({node})"), |line| message(line) == said && line["node"] == node)
    }

    /// The process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the process. Returns its status and its standard error.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the agent does not end");
            // Sleeps because the standard library has no wait with a deadline.
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap(), stderr)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The message of a log line.
pub(crate) fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}

/// Runs `kinfolk members --json` at `socket`. Returns the name and the state of each node.
pub(crate) fn members(socket: &Path) -> Vec<(String, String)> {
    let run = run(&["members", "--json", "--socket", socket.to_str().unwrap()]);
    run.must_succeed();
    let view: Value = serde_json::from_str(&run.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    view["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(&node["name"]), text(&node["state"])))
        .collect()
}
