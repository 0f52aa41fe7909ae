//! The system's trust store: hundreds of certificates, of which an agent uses none, because it trusts its cluster's authority alone.
//! The TLS library reads them when it starts, which takes 1 MiB and a third of the CPU of a start. Its only switch is the
//! environment, and a program can set that safely only for a program that it begins. So the agent begins itself anew.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What the library reads the store from (`X509_STORE_set_default_paths`).
const STORE: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
const NOTHING: &str = "/dev/null";

/// Begins this program anew without the store, in the same process, unless that is done. Where it cannot, the store is read.
pub(crate) fn do_without() {
    if STORE.iter().all(|name| std::env::var_os(name).is_some_and(|value| value == NOTHING)) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut args = std::env::args_os();
    let mut anew = Command::new(program);
    if let Some(name) = args.next() {
        anew.arg0(name);
    }
    // It returns only if it fails.
    let _failed = anew.args(args).envs(STORE.map(|name| (name, NOTHING))).exec();
}
