//! Overload: members in one process whose CPU a control group limits. They join with too little
//! CPU, or the CPU is taken from them and given back. No member gets a fault, so every failure that
//! they report is false.
//!
//! A control group limits processes. So the group runs in a process of its own, and this one, which
//! measures it, has no limit.

mod group;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::quota::Quota;
use group::Sample;
pub use group::group;

/// The length of a window of the table, and of each half of a swing's minute.
const WINDOW: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Debug, Clone)]
pub struct OverloadOptions {
    /// The number of members.
    pub members: usize,
    /// The number of cores that all of them have together, one run for each value.
    pub cores: Vec<f64>,
    /// The time limit of a join.
    pub join_limit: Duration,
    /// The number of windows of 30 s to measure after a join.
    pub windows: usize,
    /// How many times the CPU is limited to the first of `cores` for a minute, and unlimited for a
    /// minute.
    pub swings: usize,
}

/// Runs the group and prints a table.
///
/// # Errors
/// This system has no CPU control groups, or the group ends by itself.
pub fn overload(options: &OverloadOptions) -> Result<()> {
    if options.swings > 0 {
        return swing(options);
    }
    println!("{} members in one process, joined at the same moment, then idle", options.members);
    println!(
        "{:>6} {:>7} {:>11} {:>10} {:>10} {:>9} {:>9} {:>8} {:>8}  CPU ms per node and minute in windows of 30 s",
        "cores",
        "join s",
        "handshakes",
        "dials",
        "failed",
        "unresponsive",
        "timed out",
        "suspect",
        "failures"
    );
    for &cores in &options.cores {
        let mut run = Run::start(options.members)?;
        run.quota.set(Some(cores))?;
        run.join()?;
        let joined =
            run.until(options.join_limit, |sample| sample.see_all == options.members && sample.joining == 0)?;
        let mut windows = Vec::new();
        for _ in 0..options.windows {
            let before = run.last;
            run.pass(WINDOW)?;
            windows.push(run.cpu_per_node_and_minute(before));
        }
        let Sample { unresponsive, timed_out, suspected, failed, .. } = run.last;
        println!(
            "{cores:>6} {:>7} {:>11.1} {:>10.1} {:>10.1} {unresponsive:>9} {timed_out:>9} {suspected:>8} {failed:>8}  {}",
            joined.map_or_else(|| "never".to_owned(), |at| format!("{:.1}", at.as_secs_f64())),
            run.per_node(run.last.handshakes),
            run.per_node(run.last.dials),
            run.per_node(run.last.dials_failed),
            windows.iter().map(|cpu| format!("{cpu:.0}")).collect::<Vec<_>>().join(" "),
        );
    }
    Ok(())
}

/// Limits the CPU and removes the limit again, several times.
fn swing(options: &OverloadOptions) -> Result<()> {
    let cores = *options.cores.first().context("no value for --cores; give the number of cores to leave")?;
    println!(
        "{} members in one process; a minute with {cores} cores, then a minute without a limit",
        options.members
    );
    println!(
        "{:>6} {:>8} {:>11} {:>11} {:>8} {:>8} {:>9} {:>8}  CPU ms per node in each half minute",
        "minute", "cores", "handshakes", "second half", "all see", "unresponsive", "suspected", "failures"
    );
    let mut run = Run::start(options.members)?;
    run.join()?;
    let formed = run.until(options.join_limit, |sample| sample.see_all == options.members)?;
    formed.context("the group does not form with all cores")?;
    run.pass(WINDOW * 2)?;
    for minute in 0..options.swings * 2 {
        let less = minute % 2 == 0;
        run.quota.set(less.then_some(cores))?;
        let before = run.last;
        let (mut equal_at, mut cpu) = (None, Vec::new());
        let mut half = before;
        for _ in 0..2 {
            half = run.last;
            let end = Duration::from_millis(half.at_ms) + WINDOW;
            while Duration::from_millis(run.last.at_ms) < end {
                run.next()?;
                if run.last.see_all < options.members {
                    equal_at = None;
                } else if equal_at.is_none() {
                    equal_at = Some(run.last.at_ms - before.at_ms);
                }
            }
            cpu.push(run.per_node(run.last.cpu_ms - half.cpu_ms));
        }
        println!(
            "{:>6} {:>8} {:>11.1} {:>11.1} {:>8} {:>8} {:>9} {:>8}  {:.0} {:.0}",
            minute + 1,
            if less { cores.to_string() } else { "all".to_owned() },
            run.per_node(run.last.handshakes - before.handshakes),
            run.per_node(run.last.handshakes - half.handshakes),
            equal_at.map_or_else(
                || "no".to_owned(),
                |ms| format!("{:.1}", Duration::from_millis(ms).as_secs_f64())
            ),
            run.last.unresponsive - before.unresponsive,
            run.last.suspected - before.suspected,
            run.last.failed - before.failed,
            cpu[0],
            cpu[1],
        );
    }
    Ok(())
}

/// A group under a quota. Dropping it kills the group.
struct Run {
    members: usize,
    last: Sample,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    // The order of the fields matters: a control group can only be removed when it has no process.
    child: Killed,
    quota: Quota,
}

/// A child process that is killed when it is dropped. A dropped `Child` alone would go on.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Run {
    /// Starts members that have not joined yet, without a limit.
    fn start(members: usize) -> Result<Self> {
        let quota = Quota::new()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["overload-group", "--members", &members.to_string()]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = Killed(child.context("cannot start this program again")?);
        quota.take(child.0.id())?;
        let (input, output) = (child.0.stdin.take(), child.0.stdout.take());
        let (input, output) = input.zip(output).context("standard input and output are piped")?;
        let mut run =
            Self { members, last: Sample::default(), input, output: BufReader::new(output), child, quota };
        let ready = run.line()?;
        if ready.trim() != "ready" {
            bail!("the group printed {ready:?} instead of `ready`");
        }
        Ok(run)
    }

    fn join(&mut self) -> Result<()> {
        self.input.write_all(b"join\n").context("the group has ended")
    }

    /// Reads samples until one is `wished`. Returns its time, or `None` if there is none within
    /// `limit`.
    fn until(
        &mut self,
        limit: Duration,
        mut wished: impl FnMut(&Sample) -> bool,
    ) -> Result<Option<Duration>> {
        loop {
            self.next()?;
            let at = Duration::from_millis(self.last.at_ms);
            if wished(&self.last) {
                return Ok(Some(at));
            }
            if at >= limit {
                return Ok(None);
            }
        }
    }

    /// Reads samples for this time.
    fn pass(&mut self, time: Duration) -> Result<()> {
        let end = Duration::from_millis(self.last.at_ms) + time;
        while Duration::from_millis(self.last.at_ms) < end {
            self.next()?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        let line = self.line()?;
        self.last = serde_json::from_str(&line).with_context(|| format!("the group printed {line:?}"))?;
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the group ended by itself: {}", self.child.0.wait()?);
        }
        Ok(line)
    }

    fn per_node(&self, count: u64) -> f64 {
        count as f64 / self.members as f64
    }

    fn cpu_per_node_and_minute(&self, before: Sample) -> f64 {
        let took = Duration::from_millis(self.last.at_ms - before.at_ms);
        self.per_node(self.last.cpu_ms - before.cpu_ms) * 60.0 / took.as_secs_f64()
    }
}
