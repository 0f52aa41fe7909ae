//! The layers as a table: the layer of each crate, and the exact workspace crates that it may
//! depend on.
//!
//! Enter a new crate or a new edge here first, and ask then whether the layers allow it. Only data,
//! no checks.

/// A crate of the workspace. Its edges must equal those of its manifest: remove an unused edge from
/// both.
pub(super) struct Crate {
    pub(super) name: &'static str,
    /// Edges may only lead to a lower number. So crates on one layer cannot depend on each other.
    pub(super) layer: u8,
    pub(super) normal: &'static [&'static str],
    pub(super) build: &'static [&'static str],
    pub(super) dev: &'static [&'static str],
}

/// The layer of tools. It is above all others: no crate may depend on a tool, and no tool on
/// another.
pub(super) const TOOLS: u8 = 6;

pub(super) const CRATES: &[Crate] = &[
    Crate { name: "kinfolk-core", layer: 0, normal: &[], build: &[], dev: &[] },
    Crate { name: "kinfolk-coordinates", layer: 1, normal: &["kinfolk-core"], build: &[], dev: &[] },
    Crate { name: "kinfolk-detector", layer: 1, normal: &["kinfolk-core"], build: &[], dev: &[] },
    Crate { name: "kinfolk-select", layer: 1, normal: &["kinfolk-core"], build: &[], dev: &[] },
    Crate {
        name: "kinfolk-swim",
        layer: 2,
        normal: &["kinfolk-core", "kinfolk-detector"],
        build: &[],
        // For its feature `simulation`: signatures by a keyed hash.
        dev: &["kinfolk-core"],
    },
    Crate { name: "kinfolk-transport", layer: 2, normal: &["kinfolk-core"], build: &[], dev: &[] },
    Crate {
        name: "kinfolk-gossip",
        layer: 3,
        normal: &["kinfolk-core", "kinfolk-detector", "kinfolk-swim", "kinfolk-transport"],
        build: &[],
        dev: &[],
    },
    Crate {
        name: "kinfolk",
        layer: 4,
        normal: &[
            "kinfolk-coordinates",
            "kinfolk-core",
            "kinfolk-detector",
            "kinfolk-gossip",
            "kinfolk-select",
            "kinfolk-swim",
            "kinfolk-transport",
        ],
        build: &[],
        dev: &[],
    },
    Crate { name: "kinfolk-agent", layer: 5, normal: &["kinfolk"], build: &[], dev: &[] },
    Crate {
        name: "kinfolk-sim",
        layer: TOOLS,
        normal: &["kinfolk-coordinates", "kinfolk-core", "kinfolk-detector", "kinfolk-swim"],
        build: &[],
        dev: &[],
    },
    Crate {
        name: "kinfolk-scenarios",
        layer: TOOLS,
        // The last two for a hostile member that speaks the wire itself.
        normal: &["kinfolk", "kinfolk-core", "kinfolk-swim", "kinfolk-transport"],
        build: &[],
        dev: &[],
    },
    Crate {
        name: "kinfolk-benches",
        layer: TOOLS,
        normal: &[
            "kinfolk",
            "kinfolk-core",
            "kinfolk-detector",
            "kinfolk-select",
            "kinfolk-swim",
            "kinfolk-transport",
        ],
        build: &[],
        dev: &[],
    },
    Crate { name: "xtask", layer: TOOLS, normal: &[], build: &[], dev: &[] },
];

/// The crates whose code must behave the same under a simulated clock and network as under real
/// ones.
pub(super) const PURE: &[&str] =
    &["kinfolk-coordinates", "kinfolk-core", "kinfolk-detector", "kinfolk-select", "kinfolk-swim"];

/// An outside package that only some crates may name.
pub(super) struct Reserved {
    pub(super) package: &'static str,
    pub(super) owners: &'static [&'static str],
    /// Whether the tools may name it too.
    pub(super) tools: bool,
    /// Whether any crate may name it for its tests and examples, which no user compiles.
    pub(super) dev_free: bool,
}

pub(super) const RESERVED: &[Reserved] = &[
    // The benchmarks compare the transport with QUIC itself, the best that the transport can reach.
    Reserved {
        package: "s2n-quic",
        owners: &["kinfolk-transport", "kinfolk-benches"],
        tools: false,
        dev_free: false,
    },
    Reserved { package: "s2n-quic-core", owners: &["kinfolk-transport"], tools: false, dev_free: false },
    Reserved { package: "s2n-tls", owners: &["kinfolk-transport"], tools: false, dev_free: false },
    Reserved { package: "anyhow", owners: &["kinfolk-agent"], tools: true, dev_free: true },
    Reserved { package: "clap", owners: &["kinfolk-agent"], tools: true, dev_free: true },
];
