//! Has the C library ask the system for large pages. A large world is walked through at random, a few lines of each member's
//! memory at a time; with pages of 4 KiB the processor spends a third of its time on finding out where they are.

/// The settings of glibc's malloc, which it reads when a program begins and only then.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: &str = "GLIBC_TUNABLES";

/// Begins the program anew with large pages, in the same process, unless whoever called it has chosen the settings already.
/// Where that cannot be done the program goes on as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn ask() {
    use std::env;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    if let (None, Ok(program)) = (env::var_os(SETTINGS), env::current_exe()) {
        let mut again = Command::new(program);
        again.args(env::args_os().skip(1)).env(SETTINGS, "glibc.malloc.hugetlb=1");
        // It returns only if it fails, and then nothing is lost but some speed.
        let _why_not = again.exec();
    }
}

/// Elsewhere the system decides.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn ask() {}
