//! Makes the C library request large memory pages from the system.
//!
//! A large world accesses the memory of its members at random, a few cache lines at a time. With
//! pages of 4 KiB the processor spends a third of its time on address translation.

/// The environment variable with the settings of glibc's malloc. glibc reads it only when a program
/// starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: &str = "GLIBC_TUNABLES";

/// Starts the program again with large pages, in the same process, because glibc reads its settings
/// only at a start. Does nothing if the variable is set already: the user chose, or this is the
/// second start. If it cannot start again, the program continues as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn request() {
    use std::env;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    if let (None, Ok(program)) = (env::var_os(SETTINGS), env::current_exe()) {
        let mut again = Command::new(program);
        again.args(env::args_os().skip(1)).env(SETTINGS, "glibc.malloc.hugetlb=1");
        // `exec` returns only when it fails. The program then continues with small pages, which
        // costs only speed.
        let _error = again.exec();
    }
}

/// Does nothing: on other systems the page size is not set by this variable.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn request() {}
