//! A member with the library embedded, as the scenario `rotation` sees it: its process, its folder
//! with the certificate files, and its answers.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};

use super::embedded::{Ask, Report};

/// How often a wait looks at the output of the process.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running member. Dropping it kills its process.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// The folder of its files: `NAME.pem`, `NAME-key.pem`, and `ca.pem`.
    pub(super) folder: PathBuf,
    child: Child,
    questions: ChildStdin,
    asked: usize,
}

impl Member {
    /// Starts a member. `all` has the name and the address of each member.
    pub(super) fn start(
        name: &str,
        (namespace, listen): (&str, &str),
        folder: PathBuf,
        all: &[(String, String)],
    ) -> Result<Self> {
        let file = |ending: &str| folder.join(format!("{name}{ending}"));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(std::env::current_exe()?).arg("embedded");
        command.arg("--cert").arg(file(".pem")).arg("--key").arg(file("-key.pem"));
        command.arg("--ca").arg(folder.join("ca.pem")).args(["--listen", listen]);
        for (peer, addr) in all.iter().filter(|(peer, _)| peer != name) {
            command.args(["--peer", peer, "--join", addr]);
        }
        let (answers, log) = (File::create(answers(&folder))?, File::create(folder.join("log"))?);
        command.process_group(0).stdin(Stdio::piped()).stdout(answers).stderr(log);
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let questions = child.stdin.take().context("the standard input is piped")?;
        Ok(Self { name: name.to_owned(), folder, child, questions, asked: 0 })
    }

    /// Asks, and waits for the answer for at most `limit`.
    ///
    /// # Errors
    /// The process has ended, or does not answer.
    pub(super) async fn ask(&mut self, ask: Ask, limit: Duration) -> Result<Report> {
        writeln!(self.questions, "{}", ask.line()).with_context(|| format!("{} has ended", self.name))?;
        self.asked += 1;
        let until = Instant::now() + limit;
        loop {
            let answers = fs::read_to_string(answers(&self.folder))?;
            // The last line may not be whole yet.
            let whole = answers.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(line) = whole.lines().nth(self.asked - 1) {
                return serde_json::from_str(line).with_context(|| format!("{} answers {line:?}", self.name));
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.folder.join("log"))?;
                bail!("{} ended by itself ({status}): {}", self.name, log.trim());
            }
            if Instant::now() >= until {
                bail!("{} gives no answer to {:?} within {limit:?}", self.name, ask.line());
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

fn answers(folder: &Path) -> PathBuf {
    folder.join("answers")
}

impl Drop for Member {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
