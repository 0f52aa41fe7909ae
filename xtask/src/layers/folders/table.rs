//! Who may import whom among the folders of a crate, as tables. A new folder is entered here first. Only data, no checks.
//!
//! A name stands for a top-level module, be it the folder `src/<name>/` or the file `src/<name>.rs`. A row whose module is
//! not there checks nothing.

/// Who keeps a part of the state of `crates/swim`.
const OWNERS: &[&str] = &["members", "myself", "detection", "news", "repair", "report", "requests"];

/// What every module of `crates/swim` may import.
const SHARED: &[&str] = &["interface", "wire", "timer", "context", "fact", "config", "error", "stats"];

/// `crates/swim`: each owner keeps a part of the state to itself. Only `machine` knows the owners, and joins them.
pub(super) const SWIM: Table = Table {
    home: "crates/swim",
    rows: &[
        Row { module: "machine", imports: &[OWNERS, SHARED] },
        // The owners: none imports another one.
        Row { module: "members", imports: &[SHARED] },
        Row { module: "myself", imports: &[SHARED] },
        Row { module: "detection", imports: &[SHARED] },
        Row { module: "news", imports: &[SHARED] },
        Row { module: "repair", imports: &[SHARED] },
        Row { module: "report", imports: &[SHARED] },
        Row { module: "requests", imports: &[SHARED] },
        // What all may import, and which imports no owner.
        Row { module: "interface", imports: &[SHARED] },
        Row { module: "wire", imports: &[SHARED] },
        Row { module: "timer", imports: &[SHARED] },
        Row { module: "context", imports: &[SHARED] },
        Row { module: "fact", imports: &[SHARED] },
        Row { module: "config", imports: &[SHARED] },
        Row { module: "error", imports: &[SHARED] },
        Row { module: "stats", imports: &[SHARED] },
    ],
    // The crate has files beside the folders that no owner keeps; they are free.
    files_need_a_row: false,
};

/// Imports that close a circle of folders and may stay for now.
pub(super) const ALLOWED: &[Allowed] = &[
    Allowed {
        home: "crates/agent",
        from: "config",
        to: "cli",
        reason: "the flags flatten `Settings`, and the configuration is made from the parsed flags whole (`AgentArgs`)",
    },
    Allowed {
        home: "crates/agent",
        from: "logs",
        to: "config",
        reason: "the log level implements `Form`, the trait of values that are read from text, which `config` keeps",
    },
];

/// The folders of one crate.
pub(super) struct Table {
    /// The crate's folder.
    pub(super) home: &'static str,
    /// A folder without a row is an error.
    pub(super) rows: &'static [Row],
    /// Whether a single file without a row is an error too. Otherwise it may import all, and all may import it.
    pub(super) files_need_a_row: bool,
}

/// A top-level module and all that it may import from its crate.
pub(super) struct Row {
    pub(super) module: &'static str,
    /// Lists of modules, so that a row can add a few to a list that it shares with others.
    pub(super) imports: &'static [&'static [&'static str]],
}

/// An import that the search for circles does not follow. One that closes no circle has to go.
pub(super) struct Allowed {
    pub(super) home: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// Why it is there; said when the entry has to go.
    pub(super) reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_has_one_row_and_each_name_in_a_row_is_a_module() {
        let modules: Vec<&str> = SWIM.rows.iter().map(|row| row.module).collect();
        for row in SWIM.rows {
            assert_eq!(modules.iter().filter(|module| **module == row.module).count(), 1, "{}", row.module);
            for name in row.imports.iter().copied().flatten() {
                assert!(modules.contains(name), "{} imports {name}, which has no row", row.module);
            }
        }
    }

    #[test]
    fn no_owner_imports_another_and_nothing_shared_imports_an_owner() {
        for row in SWIM.rows.iter().filter(|row| row.module != "machine") {
            assert!(
                !row.imports.iter().copied().flatten().any(|name| OWNERS.contains(name)),
                "{}",
                row.module
            );
        }
    }
}
