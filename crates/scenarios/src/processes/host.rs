//! Checks whether this machine can make network namespaces with faults, by making one.

use super::command::{ip, run};
use super::faults::Faults;
use super::lan::PREFIX;

/// `None` if it can. Else the reason in one line.
pub(super) fn missing_requirement() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("it must run as root".to_owned());
    }
    for (program, package) in [("ip", "iproute2"), ("nft", "nftables")] {
        if run(program, &["-V"], "").is_err() {
            return Some(format!("`{program}` is not installed (Debian package {package})"));
        }
    }
    let name = format!("{PREFIX}{}-try", std::process::id());
    let tried = ip(&format!("netns add {name}")).and_then(|_| {
        ip(&format!("-n {name} link add br0 type bridge"))?;
        ip(&format!("-n {name} link add port0 type veth peer name port1"))?;
        let rules = Faults { loss_percent: 20, ..Faults::default() }.rules();
        run("ip", &["netns", "exec", &name, "nft", "-f", "-"], &rules)
    });
    // The namespace may not exist, if its creation failed.
    let _removed = ip(&format!("netns del {name}"));
    tried.err().map(|error| format!("{error:#}"))
}
