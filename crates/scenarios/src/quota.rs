//! A limit on the CPU that some processes may use together: a control group of our own. Dropping it
//! removes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The folders of control groups in the two versions of the kernel interface.
const V1: &str = "/sys/fs/cgroup/cpu";
const V2: &str = "/sys/fs/cgroup";

/// The period over which the kernel counts CPU time.
const PERIOD: Duration = Duration::from_millis(100);

/// The number of attempts to remove a group, 10 ms apart. A killed process leaves its group only a
/// moment later.
const REMOVALS: usize = 100;

/// The number of the next group of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A control group with a CPU quota.
#[derive(Debug)]
pub(crate) struct Quota {
    folder: PathBuf,
    is_v2: bool,
}

impl Quota {
    /// Makes a group without a limit and without processes.
    ///
    /// # Errors
    /// This system has no CPU control groups, or this user may not make one.
    pub(crate) fn new() -> Result<Self> {
        let is_v2 = Path::new(V2).join("cgroup.controllers").exists();
        let above = Path::new(if is_v2 { V2 } else { V1 });
        let folder = above.join(format!("kinfolk-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed)));
        if is_v2 {
            // The kernel refuses this where the controller is enabled already.
            let _enabled = fs::write(above.join("cgroup.subtree_control"), "+cpu");
        }
        fs::create_dir(&folder)
            .with_context(|| format!("cannot make a control group at {}; run as root", folder.display()))?;
        let quota = Self { folder, is_v2 };
        if !quota.folder.join(quota.limit_file()).exists() {
            bail!("the kernel offers no CPU quota at {}", above.display());
        }
        Ok(quota)
    }

    /// Sets how many cores the processes may use together. `None` removes the limit.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub(crate) fn set(&self, cores: Option<f64>) -> Result<()> {
        let period = PERIOD.as_micros();
        let allowed = cores.map(|cores| PERIOD.mul_f64(cores).as_micros());
        if self.is_v2 {
            let allowed = allowed.map_or_else(|| "max".to_owned(), |micros| micros.to_string());
            return self.write(self.limit_file(), &format!("{allowed} {period}"));
        }
        self.write("cpu.cfs_period_us", &period.to_string())?;
        self.write(self.limit_file(), &allowed.map_or_else(|| "-1".to_owned(), |micros| micros.to_string()))
    }

    /// Adds a process to the group, and all processes that it starts later.
    ///
    /// # Errors
    /// There is no such process.
    pub(crate) fn take(&self, process: u32) -> Result<()> {
        self.write("cgroup.procs", &process.to_string())
    }

    const fn limit_file(&self) -> &'static str {
        if self.is_v2 { "cpu.max" } else { "cpu.cfs_quota_us" }
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {text:?} to {}", path.display()))
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        for _ in 0..REMOVALS {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return,
            }
        }
    }
}
