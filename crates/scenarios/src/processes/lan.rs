//! A private network: one namespace with a bridge, and one for each node with a link to the bridge.
//!
//! It does not touch the network of the machine. Dropping the [`Lan`] removes all of it. The next
//! run removes what a killed run left behind.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::command::{ip, run};
use super::faults::{Faults, port};

/// The prefix of the names of our namespaces. The process id of the run follows, so that a later
/// run can tell which namespaces belong to a run that has ended.
pub(super) const PREFIX: &str = "kinfolk-chaos-";

/// The namespace of the bridge, and those of the nodes.
pub(super) struct Lan {
    hub: String,
    nodes: Vec<String>,
    faults: Faults,
}

impl Lan {
    /// Makes a bridge with one link for each of `nodes` nodes.
    pub(super) fn new(nodes: usize) -> Result<Self> {
        let base = format!("{PREFIX}{}-", std::process::id());
        let mut lan = Self { hub: format!("{base}hub"), nodes: Vec::new(), faults: Faults::default() };
        ip(&format!("netns add {}", lan.hub))?;
        ip(&format!("-n {} link add br0 type bridge", lan.hub))?;
        ip(&format!("-n {} link set br0 up", lan.hub))?;
        for node in 0..nodes {
            lan.add(node, &format!("{base}{}", port(node)))?;
        }
        lan.set(Faults::default())?;
        Ok(lan)
    }

    /// Adds one more node. Returns its number.
    pub(super) fn add_node(&mut self) -> Result<usize> {
        let node = self.nodes.len();
        self.add(node, &format!("{PREFIX}{}-{}", std::process::id(), port(node)))?;
        Ok(node)
    }

    fn add(&mut self, node: usize, name: &str) -> Result<()> {
        let (hub, port) = (&self.hub, port(node));
        ip(&format!("netns add {name}"))?;
        // Record it before the next steps, so that a failure there still removes it.
        self.nodes.push(name.to_owned());
        ip(&format!("link add {port} netns {hub} type veth peer name eth0 netns {name}"))?;
        ip(&format!("-n {hub} link set {port} master br0 up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!("-n {name} addr add {}/24 dev eth0", first_addr(node)))?;
        ip(&format!("-n {name} link set eth0 up"))?;
        Ok(())
    }

    /// The namespace of a node.
    pub(super) fn namespace(&self, node: usize) -> &str {
        &self.nodes[node]
    }

    /// The current faults.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Replaces all faults of the network.
    pub(super) fn set(&mut self, faults: Faults) -> Result<()> {
        run("ip", &["netns", "exec", &self.hub, "nft", "-f", "-"], &faults.rules())?;
        self.faults = faults;
        Ok(())
    }

    /// Takes the node's end of its link down, or up again.
    pub(super) fn link(&self, node: usize, up: bool) -> Result<()> {
        let word = if up { "up" } else { "down" };
        ip(&format!("-n {} link set eth0 {word}", self.nodes[node])).map(drop)
    }

    /// Makes a node resolve `name` to `addr`. Its hosts file has no other name.
    pub(super) fn name_host(&self, node: usize, name: &str, addr: Ipv4Addr) -> Result<()> {
        let folder = hosts_of(&self.nodes[node]);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let file = folder.join("hosts");
        // Write in place: `ip netns exec` has bound this very file over `/etc/hosts`, and a new
        // file would not be seen.
        fs::write(&file, format!("127.0.0.1 localhost\n{addr} {name}\n"))
            .with_context(|| format!("writing {}", file.display()))
    }

    /// Replaces the address of a node.
    pub(super) fn renumber(&self, node: usize, from: Ipv4Addr, to: Ipv4Addr) -> Result<()> {
        let name = &self.nodes[node];
        ip(&format!("-n {name} addr del {from}/24 dev eth0"))?;
        ip(&format!("-n {name} addr add {to}/24 dev eth0")).map(drop)
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for name in self.nodes.iter().chain([&self.hub]) {
            // A drop cannot fail. The next run removes the namespace.
            if let Err(error) = ip(&format!("netns del {name}")) {
                eprintln!("cannot remove the namespace {name}: {error:#}; the next run tries again");
            }
            remove_hosts(name);
        }
    }
}

/// The first address of a node.
pub(super) fn first_addr(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(node + 1).unwrap_or(u8::MAX))
}

/// The address of a node after it has moved.
pub(super) fn second_addr(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(node + 101).unwrap_or(u8::MAX))
}

/// Removes the namespaces of runs that have ended, and kills what still runs in them.
pub(super) fn remove_leftovers() -> Result<()> {
    for line in ip("netns list")?.lines() {
        let Some(name) = line.split_whitespace().next().filter(|name| is_left_over(name)) else { continue };
        for pid in ip(&format!("netns pids {name}"))?.split_whitespace() {
            if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
                // The process may have ended meanwhile.
                let _ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        eprintln!("removing the namespace {name}, which an earlier run left behind");
        ip(&format!("netns del {name}"))?;
        remove_hosts(name);
    }
    Ok(())
}

/// The folder in which `ip netns exec` looks for a namespace's own versions of files in `/etc`.
fn hosts_of(namespace: &str) -> PathBuf {
    Path::new("/etc/netns").join(namespace)
}

/// Removes that folder, if the namespace has one. Most have none.
fn remove_hosts(namespace: &str) {
    let folder = hosts_of(namespace);
    if folder.exists()
        && let Err(error) = fs::remove_dir_all(&folder)
    {
        eprintln!("cannot remove {}: {error}; remove it by hand", folder.display());
    }
}

/// Whether a namespace is one of ours, and the run that made it has ended.
fn is_left_over(name: &str) -> bool {
    let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
    pid.and_then(|pid| pid.parse::<u32>().ok())
        .is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_ended_runs_are_left_over() {
        assert!(!is_left_over("blue"));
        assert!(!is_left_over(&format!("{PREFIX}{}-hub", std::process::id())));
        assert!(!is_left_over(&format!("{PREFIX}x-hub")));
        // No process can have this id: the highest that the kernel gives is 4,194,304.
        assert!(is_left_over(&format!("{PREFIX}4194305-n01")));
    }
}
