//! The faults of the network between nodes, as rules of one nftables table in the namespace of the
//! bridge. Replacing the table changes all faults at once.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A set of nodes by their numbers.
pub(super) type Nodes = BTreeSet<usize>;

/// The current faults. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// No packet passes between the two sides.
    pub(super) partition: Option<(Nodes, Nodes)>,
    /// No packet reaches these nodes.
    pub(super) deaf: Nodes,
    /// No packet of these nodes reaches another node.
    pub(super) mute: Nodes,
    /// The percentage of packets that are lost.
    pub(super) loss_percent: u8,
}

impl Faults {
    /// The whole table as input of `nft -f`. It replaces the existing table in one step.
    pub(super) fn rules(&self) -> String {
        // ARP always passes: a fault is meant for IP only. A missing ARP entry would outlast the
        // fault.
        let mut rules = String::from("ether type arp accept\n");
        let mut rule = |text: String| writeln!(rules, "{text}").expect("a String takes all");
        if let Some((left, right)) = &self.partition
            && !left.is_empty()
            && !right.is_empty()
        {
            for (from, to) in [(left, right), (right, left)] {
                rule(format!("iifname {} oifname {} drop", ports(from), ports(to)));
            }
        }
        if !self.deaf.is_empty() {
            rule(format!("oifname {} drop", ports(&self.deaf)));
        }
        if !self.mute.is_empty() {
            rule(format!("iifname {} drop", ports(&self.mute)));
        }
        if self.loss_percent > 0 {
            rule(format!("numgen random mod 100 < {} drop", self.loss_percent));
        }
        // The first line creates the table if it does not exist, so that `delete` cannot fail.
        format!(
            "table bridge chaos {{}}\ndelete table bridge chaos\ntable bridge chaos {{\nchain forward {{\n\
             type filter hook forward priority 0; policy accept;\n{rules}}}\n}}\n"
        )
    }
}

/// The name of a node, and of its port at the bridge.
pub(super) fn port(node: usize) -> String {
    format!("n{:02}", node + 1)
}

fn ports(nodes: &Nodes) -> String {
    let names: Vec<String> = nodes.iter().map(|&node| format!("\"{}\"", port(node))).collect();
    format!("{{ {} }}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(faults: &Faults) -> Vec<String> {
        faults.rules().lines().filter(|line| line.ends_with("drop")).map(str::to_owned).collect()
    }

    #[test]
    fn no_faults_drop_nothing() {
        assert!(drops(&Faults::default()).is_empty());
    }

    #[test]
    fn each_fault_has_its_rule() {
        let faults = Faults {
            partition: Some(([0, 1].into(), [2].into())),
            deaf: [3].into(),
            mute: [4].into(),
            loss_percent: 20,
        };
        let expected = [
            r#"iifname { "n01", "n02" } oifname { "n03" } drop"#,
            r#"iifname { "n03" } oifname { "n01", "n02" } drop"#,
            r#"oifname { "n04" } drop"#,
            r#"iifname { "n05" } drop"#,
            "numgen random mod 100 < 20 drop",
        ];
        assert_eq!(drops(&faults), expected);
    }
}
