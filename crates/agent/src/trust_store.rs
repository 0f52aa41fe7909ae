//! Starts the agent without the system's trust store.
//!
//! The store holds hundreds of certificates. An agent uses none of them, because it trusts only the
//! CA of its cluster. The TLS library reads the store at its start, which takes 1 MiB of memory and
//! a third of the CPU of a start. Only environment variables can prevent that, and a program can
//! set them safely only for a program that it starts. So the agent replaces itself by a new start.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The variables from which the library takes the store's paths (`X509_STORE_set_default_paths`).
pub(crate) const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
const NOTHING: &str = "/dev/null";

/// Starts this program again in the same process, with an empty trust store. If that is already
/// done, it does nothing. If the restart fails, the agent goes on and the library reads the store.
pub(crate) fn restart_without() {
    // This test ends the recursion: the restarted program has both variables.
    if VARIABLES.iter().all(|name| std::env::var_os(name).is_some_and(|value| value == NOTHING)) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut args = std::env::args_os();
    let mut restarted = Command::new(program);
    // Keep the name under which the user started the program, as `ps` shows it.
    if let Some(name) = args.next() {
        restarted.arg0(name);
    }
    // `exec` keeps the process id, so a service manager sees one process. It returns only on
    // failure.
    let _failed = restarted.args(args).envs(VARIABLES.map(|name| (name, NOTHING))).exec();
}
