//! Three agents on the loopback interface, and what one of them says about itself.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// The time limit of the start, and of each response.
const LIMIT: Duration = Duration::from_secs(20);

/// The agents. Dropping them ends their processes.
pub(super) struct Group {
    folder: TempDir,
    agents: Vec<Child>,
    socket: PathBuf,
}

/// What the first agent says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Anonymous memory in bytes.
    pub(super) bytes: u64,
    /// Probes that it has made.
    pub(super) probes: u64,
    /// Probes that failed or were late, answers that came too late, and times that it was late
    /// itself.
    pub(super) late: u64,
}

impl Group {
    /// Starts the agents, and waits until the first one sees all.
    pub(super) async fn start(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = folder.path().to_str().context("the path of the temporary folder is not UTF-8")?.to_owned();
        run(program, &["ca", "init", &at, "--cluster", "clients"])?;
        let seed = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut agents = Vec::new();
        for name in NAMES {
            run(program, &["ca", "issue", &at, name])?;
            let file = |end: &str| format!("{at}/{name}{end}");
            let mut command = Command::new(program);
            command.args([
                "agent",
                "--cert",
                &file(".pem"),
                "--key",
                &file("-key.pem"),
                "--ca",
                &format!("{at}/ca.pem"),
            ]);
            command.args(["--socket", &file(".sock"), "--log-level", "warn"]);
            command.args(["--listen", if name == NAMES[0] { &seed } else { "127.0.0.1:0" }]);
            if name != NAMES[0] {
                command.args(["--join", &seed]);
            }
            let log = std::fs::File::create(file(".log"))?;
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            agents.push(command.spawn().with_context(|| format!("cannot start {}", program.display()))?);
        }
        let socket = folder.path().join("a.sock");
        let group = Self { folder, agents, socket };
        let deadline = Instant::now() + LIMIT;
        while group.members().await.unwrap_or_default() < NAMES.len() {
            ensure!(
                Instant::now() < deadline,
                "the agents do not form a group; see {}",
                group.folder.path().display()
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(group)
    }

    /// The socket of the first agent.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes the first agent send an event.
    pub(super) async fn send_event(&self, name: &str, payload: &str) -> Result<()> {
        let event = json!({ "name": name, "payload": payload }).to_string();
        self.ask("POST /v1/events", &event).await.map(|_| ())
    }

    /// What the first agent says about itself now.
    pub(super) async fn sample(&self) -> Result<Sample> {
        let stats = self.ask("GET /v1/stats", "").await?;
        let count =
            |name: &str| stats["swim"][name].as_u64().with_context(|| format!("there is no counter {name}"));
        let mut late = 0;
        for name in ["probes_failed", "probes_late", "late_replies", "times_late", "indirect_acks"] {
            late += count(name)?;
        }
        Ok(Sample { bytes: self.anonymous_bytes()?, probes: count("probes")?, late })
    }

    /// The anonymous memory of the first agent, in bytes.
    pub(super) fn anonymous_bytes(&self) -> Result<u64> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.agents[0].id()))?;
        let line =
            rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).context("no line `Anonymous`")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    async fn members(&self) -> Result<usize> {
        let view = self.ask("GET /v1/members?state=alive", "").await?;
        Ok(view["members"].as_array().map_or(0, Vec::len))
    }

    /// Sends a request to the first agent. With HTTP 1.0 the response ends with the connection.
    async fn ask(&self, line: &str, body: &str) -> Result<Value> {
        let exchange = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            let head = format!(
                "{line} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {}",
                body.len()
            );
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
            let mut response = String::new();
            stream.read_to_string(&mut response).await?;
            Ok::<_, std::io::Error>(response)
        };
        let response = timeout(LIMIT, exchange).await.context("the agent does not respond")??;
        let (head, body) = response.split_once("\r\n\r\n").context("it does not respond with HTTP")?;
        ensure!(
            head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')),
            "it responds {response:?}"
        );
        Ok(serde_json::from_str(body)?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            let _already_ended = agent.kill();
            let _status = agent.wait();
        }
    }
}

fn run(program: &Path, args: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(output.status.success(), "{args:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
