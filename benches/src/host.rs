//! The machine on which a benchmark ran, as far as it explains the figures. The reports are public,
//! so they have no name and no address of the machine.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// A description of the machine and the compiler.
#[derive(Debug, Clone, Serialize)]
pub struct Host {
    /// The processor's model, as the kernel names it.
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// The system and the version of its kernel.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
}

impl Host {
    /// The description of this machine. A value that the system does not give is `unknown`.
    pub fn this() -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: cores(),
            kernel: output("uname", &["-sr"]).unwrap_or_else(unknown),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
        }
    }
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The CPU time of all threads of this process so far.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // The clock of CPU time starts at zero and never goes back, so neither part is negative.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
