//! Which folders of a crate may import which, as tables. Enter a new folder here first. Only data,
//! no checks.
//!
//! A name stands for a top-level module: the folder `src/<name>/` or the file `src/<name>.rs`. A
//! row whose module does not exist has no effect.

/// Who keeps a part of the state of `crates/swim`.
const OWNERS: &[&str] = &[
    "members",
    "myself",
    "detection",
    "dissemination",
    "repair",
    "report",
    "requests",
    "accusations",
    "revocations",
];

/// What every module of `crates/swim` may import.
const SHARED: &[&str] =
    &["interface", "wire", "timer", "purpose", "roster", "absences", "view", "fact", "context"];

/// The table of `crates/swim`. Only `machine` knows the owners, and connects them. Otherwise owners
/// could call each other in a circle, and the effect of a change would be unclear (decision 13).
pub(super) const SWIM: Table = Table {
    home: "crates/swim",
    rows: &[
        Row { module: "machine", imports: &[OWNERS, SHARED] },
        // The owners: none imports another one.
        Row { module: "members", imports: &[SHARED] },
        Row { module: "myself", imports: &[SHARED] },
        Row { module: "detection", imports: &[SHARED] },
        Row { module: "dissemination", imports: &[SHARED] },
        Row { module: "repair", imports: &[SHARED] },
        Row { module: "report", imports: &[SHARED] },
        Row { module: "requests", imports: &[SHARED] },
        Row { module: "accusations", imports: &[SHARED] },
        Row { module: "revocations", imports: &[SHARED] },
        // Every module may import these, and they import no owner: otherwise one owner could reach
        // another one through them.
        Row { module: "wire", imports: &[] },
        Row { module: "interface", imports: &[&["wire"]] },
        Row { module: "timer", imports: &[&["interface"]] },
        Row { module: "purpose", imports: &[&["interface", "wire", "timer"]] },
        Row { module: "roster", imports: &[] },
        Row { module: "absences", imports: &[] },
        Row { module: "view", imports: &[] },
        Row { module: "fact", imports: &[&["interface", "wire", "purpose"]] },
        Row { module: "context", imports: &[SHARED] },
    ],
};

/// The folders of one crate.
pub(super) struct Table {
    /// The crate's folder.
    pub(super) home: &'static str,
    /// A module without a row is an error.
    pub(super) rows: &'static [Row],
}

/// A top-level module and all that it may import from its crate.
pub(super) struct Row {
    pub(super) module: &'static str,
    /// Lists of modules, so that a row can add modules to a list that it shares with other rows.
    pub(super) imports: &'static [&'static [&'static str]],
}
