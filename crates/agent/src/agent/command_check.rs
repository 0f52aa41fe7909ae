//! A check that runs a program. Its exit status is the result, as for Consul and Nagios: 0 is
//! passing, 1 is warning, and everything else is critical. The first line of its output is the
//! note.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Check, CheckOutcome};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::config::CommandLine;
use crate::trust_store;

/// How much of each output is kept, in bytes: far more than a note holds. The rest is read and
/// dropped, because a full or closed pipe would stop the program.
const OUTPUT_BYTES_MAX: usize = 4 * 1024;
/// How long the output is read after the end of the program. It usually ends with the program; a
/// process that the program left in the background may keep it open.
const OUTPUT_AFTER_END: Duration = Duration::from_millis(100);

/// A check that runs this program.
pub(super) fn new(command: CommandLine) -> Check {
    let command = Arc::new(command);
    Check::with(move || {
        let command = Arc::clone(&command);
        async move { run(&command).await }
    })
}

/// Runs the program to its end. Dropping the future kills the program and the processes that it
/// started; [`Check`] drops it at the time limit.
async fn run(command: &CommandLine) -> CheckOutcome {
    let program = command.program.display();
    let mut process = Command::new(&command.program);
    process.args(&command.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The agent's own settings for its TLS library would leave the program without trusted CAs.
    for name in trust_store::VARIABLES {
        process.env_remove(name);
    }
    // A group of its own, so that its own child processes can be killed together with it.
    let started = process.process_group(0).kill_on_drop(true).spawn();
    let mut group = match started {
        Ok(child) => ProcessGroup(child),
        Err(error) => return CheckOutcome::Critical(format!("cannot run {program}: {error}")),
    };
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let ended = {
        let reading = async { tokio::join!(keep(stdout, &mut output), keep(stderr, &mut errors)) };
        let mut reading = std::pin::pin!(reading);
        tokio::select! {
            _ = &mut reading => group.0.wait().await,
            ended = group.0.wait() => {
                let _given_up = timeout(OUTPUT_AFTER_END, reading).await;
                ended
            }
        }
    };
    match ended {
        Ok(status) => outcome(status, first_line(&output).or_else(|| first_line(&errors))),
        Err(error) => CheckOutcome::Critical(format!("cannot wait for {program}: {error}")),
    }
}

/// Reads to the end, and keeps the first bytes. A pipe that cannot be read counts as its end.
async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let room = OUTPUT_BYTES_MAX - kept.len();
        kept.extend_from_slice(&buffer[..len.min(room)]);
    }
}

/// The first line that is not empty.
fn first_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn outcome(status: ExitStatus, note: Option<String>) -> CheckOutcome {
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    };
    match status.code() {
        Some(0) => CheckOutcome::Passing,
        Some(1) => CheckOutcome::Warning(note.unwrap_or(end)),
        _ => CheckOutcome::Critical(note.unwrap_or(end)),
    }
}

/// A running program, the leader of its process group. Dropping it kills the group if the program
/// still runs. Tokio then reaps the program, which is dropped after this.
struct ProcessGroup(Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // There is no id once the program was waited for: then the system may give the id to
        // another process.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // It fails only if all processes of the group have ended.
            let _all_ended = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    /// More than any step takes on the slowest machine.
    const DEADLINE: Duration = Duration::from_mins(1);

    /// Runs a script of the shell.
    fn shell(script: &str) -> CommandLine {
        CommandLine { program: "/bin/sh".into(), args: vec!["-c".to_owned(), script.to_owned()] }
    }

    async fn result(script: &str) -> CheckOutcome {
        timeout(DEADLINE, run(&shell(script))).await.unwrap()
    }

    fn critical(note: &str) -> CheckOutcome {
        CheckOutcome::Critical(note.to_owned())
    }

    #[tokio::test]
    async fn exit_status_is_the_result() {
        assert_eq!(result("echo fine").await, CheckOutcome::Passing);
        assert_eq!(
            result("echo; echo slow; echo more; exit 1").await,
            CheckOutcome::Warning("slow".to_owned())
        );
        assert_eq!(result("echo down >&2; exit 2").await, critical("down"));
        assert_eq!(result("echo out; echo error >&2; exit 255").await, critical("out"));
        assert_eq!(result("exit 3").await, critical("exit status 3"));
        assert_eq!(result("kill -9 $$").await, critical("killed by signal 9"));
    }

    #[tokio::test]
    async fn missing_program_is_critical() {
        let command = CommandLine { program: "/no/such/program".into(), args: Vec::new() };
        let CheckOutcome::Critical(note) = run(&command).await else { panic!("it must be critical") };
        assert!(note.starts_with("cannot run /no/such/program: No such file"), "{note}");
    }

    /// 1 MiB is more than a pipe holds, so the program ends only if all of it is read.
    #[tokio::test]
    async fn long_output_is_read_and_not_kept() {
        let mut kept = Vec::new();
        keep(Some(&[b'x'; 10_000][..]), &mut kept).await;
        assert_eq!(kept.len(), OUTPUT_BYTES_MAX);
        assert_eq!(result("echo first; head -c 1048576 /dev/zero; exit 2").await, critical("first"));
    }

    #[tokio::test]
    async fn background_process_does_not_delay_the_result() {
        let CheckOutcome::Critical(id) = result("sleep 1000 & echo $!; exit 2").await else {
            panic!("it must be critical")
        };
        assert!(!has_ended(&id, false), "the result does not wait for the background process");
        let process = Pid::from_raw(id.parse().unwrap()).unwrap();
        rustix::process::kill_process(process, Signal::KILL).unwrap();
    }

    /// Whether the process has ended. A process that is not reaped yet counts as ended if the test
    /// is not its parent.
    fn has_ended(id: &str, must_be_reaped: bool) -> bool {
        match fs::read_to_string(Path::new("/proc").join(id).join("stat")) {
            Ok(stat) => !must_be_reaped && stat.contains(") Z "),
            Err(_) => true,
        }
    }

    #[tokio::test]
    async fn program_is_killed_and_reaped_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (made, ready) = (folder.path().join("made"), folder.path().join("ready"));
        let script = format!(
            "sleep 1000 & echo $$ $! > {}; mv {} {}; wait",
            made.display(),
            made.display(),
            ready.display()
        );
        let running = tokio::spawn(async move { run(&shell(&script)).await });
        let deadline = Instant::now() + DEADLINE;
        while !ready.exists() {
            assert!(Instant::now() < deadline, "the script does not start");
            // Sleeps because nothing signals a new file.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let ids = fs::read_to_string(&ready).unwrap();
        let (shell, sleep) = ids.trim().split_once(' ').unwrap();
        assert!(!has_ended(shell, true) && !has_ended(sleep, false));
        running.abort();
        while !(has_ended(shell, true) && has_ended(sleep, false)) {
            assert!(Instant::now() < deadline, "the processes {ids} still run");
            // Sleeps because tokio reaps a dropped child in the background.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
