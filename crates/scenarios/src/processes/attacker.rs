//! The process of an attack, as the scenario sees it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};

use super::attack::Part;

/// How often a wait looks at the output of the process.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running attacker. Dropping it kills its process.
#[derive(Debug)]
pub(super) struct Attacker {
    child: Child,
    output: PathBuf,
}

impl Attacker {
    /// Starts the attack of `victims`, each as `NAME=ADDRESS`. The files of `name` are in `folder`.
    pub(super) fn start(
        name: &str,
        (namespace, listen): (&str, &str),
        folder: &Path,
        victims: impl Iterator<Item = String>,
    ) -> Result<Self> {
        let file = |ending: &str| folder.join(format!("{name}{ending}"));
        let output = file(".log");
        let log = OpenOptions::new().append(true).create(true).open(&output)?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(std::env::current_exe()?).arg("attack");
        command.arg("--cert").arg(file(".pem")).arg("--key").arg(file("-key.pem"));
        command.arg("--ca").arg(folder.join("ca.pem")).args(["--listen", listen]);
        for victim in victims {
            command.args(["--victim", &victim]);
        }
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { child, output })
    }

    /// Waits until this part begins, for at most `limit`.
    pub(super) async fn begins(&mut self, part: Part, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            let output = fs::read_to_string(&self.output)?;
            if output.lines().any(|line| line == part.line()) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the attacker ended with {status}: {}", output.trim());
            }
            if Instant::now() >= until {
                bail!("the attacker does not come to {:?} within {limit:?}", part.line());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits for its end, for at most `limit`.
    pub(super) async fn ends(&mut self, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the attacker ended with {status}; see {}", self.output.display()),
                None if Instant::now() >= until => bail!("the attacker does not end within {limit:?}"),
                None => sleep(POLL_INTERVAL).await,
            }
        }
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
