//! The folders of a crate import only what the crate's table lets them import.

use super::graph::Graph;
use super::table::{Row, Table};

/// Every import that the table does not allow, and every module that it does not know.
pub(super) fn violations(table: &Table, graph: &Graph) -> Vec<String> {
    let row = |module: &str| table.rows.iter().find(|row| row.module == module);
    let mut broken = Vec::new();
    for (module, &is_folder) in &graph.modules {
        if row(module).is_none() {
            let end = if is_folder { "/" } else { ".rs" };
            broken.push(format!(
                "{}/src/{module}{end} has no row in xtask/src/layers/folders/table.rs: add it there",
                table.home
            ));
        }
    }
    for import in &graph.imports {
        let (Some(from), Some(to)) = (row(&import.from), row(&import.to)) else { continue };
        if !may_import(from, to) {
            broken.push(format!(
                "{}:{}: {} may not import {}: move what both need to a module that both may import, or change the row \
                 in xtask/src/layers/folders/table.rs",
                import.file.display(),
                import.line,
                from.module,
                to.module
            ));
        }
    }
    broken
}

fn may_import(from: &Row, to: &Row) -> bool {
    from.imports.iter().any(|list| list.contains(&to.module))
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::graph;
    use super::super::table::SWIM;
    use super::*;

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        violations(&SWIM, &graph("crates/swim", files))
    }

    fn refused(place: &str, from: &str, to: &str) -> String {
        format!(
            "crates/swim/src/{place}: {from} may not import {to}: move what both need to a module that both may \
             import, or change the row in xtask/src/layers/folders/table.rs"
        )
    }

    #[test]
    fn an_owner_that_imports_another_owner_is_told_with_file_and_line() {
        let found = broken(&[
            ("members/mod.rs", "pub(crate) struct Members;"),
            ("dissemination/mod.rs", "mod flood;"),
            (
                "dissemination/flood.rs",
                "//! Dissemination.\n\nuse crate::members::Members;\nfn f() { super::super::requests::g() }",
            ),
            ("requests.rs", "use crate::dissemination;"),
        ]);
        assert_eq!(
            found,
            [
                refused("dissemination/flood.rs:3", "dissemination", "members"),
                refused("dissemination/flood.rs:4", "dissemination", "requests"),
                refused("requests.rs:1", "requests", "dissemination"),
            ]
        );
    }

    #[test]
    fn an_owner_is_found_behind_a_name_that_the_root_gives_to_it() {
        let found = broken(&[
            ("lib.rs", "mod members;\nmod dissemination;\npub use members::Members as Known;"),
            ("members/mod.rs", ""),
            ("dissemination/mod.rs", "use crate::Known;"),
        ]);
        assert_eq!(found, [refused("dissemination/mod.rs:1", "dissemination", "members")]);
    }

    #[test]
    fn what_all_share_imports_no_owner_and_nobody_imports_the_machine() {
        let found = broken(&[
            ("machine/mod.rs", ""),
            ("report/mod.rs", "use crate::machine::Machine;"),
            ("timer.rs", "use crate::{report::Report, interface::Input};"),
            ("interface/mod.rs", ""),
        ]);
        assert_eq!(
            found,
            [refused("report/mod.rs:1", "report", "machine"), refused("timer.rs:1", "timer", "report")]
        );
    }

    #[test]
    fn the_machine_imports_all_and_all_import_what_they_share() {
        let found = broken(&[
            ("lib.rs", "mod members; mod machine; pub use members::Members; pub use interface::Input;"),
            (
                "machine/mod.rs",
                "use crate::{Members, dissemination::Dissemination, requests, interface::Input, timer::Timer};",
            ),
            (
                "members/mod.rs",
                "mod own; use own::X; use crate::interface::Input; use crate::members::own::Y;",
            ),
            ("members/own.rs", "use super::Z; use crate::{wire, context::Context};"),
            ("dissemination/mod.rs", "use crate::Input;"),
            ("requests.rs", "use crate::timer::Timer;"),
            ("interface/mod.rs", "use crate::wire::Message;"),
            ("timer.rs", ""),
            ("wire/mod.rs", ""),
            ("context.rs", "use crate::fact::Fact;"),
            ("fact.rs", ""),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn tests_comments_and_strings_may_name_everything() {
        let found = broken(&[
            ("members/mod.rs", ""),
            (
                "dissemination/mod.rs",
                "//! Beside [`Members`](crate::members).\n// crate::members::A\nconst S: &str = \"crate::members::B\";\n\
                 #[cfg(test)]\nmod fake;\n#[cfg(test)]\nmod tests { use crate::members::Members; }",
            ),
            ("dissemination/fake.rs", "use crate::members::Members;"),
            ("dissemination/tests.rs", "use crate::members::Members;"),
            ("dissemination/tests/more.rs", "use crate::members::Members;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_module_without_a_row_is_told() {
        let files = [
            ("extra/mod.rs", ""),
            ("free.rs", "use crate::dissemination;"),
            ("dissemination/mod.rs", "use crate::free;"),
        ];
        let told = |module| {
            format!("crates/swim/src/{module} has no row in xtask/src/layers/folders/table.rs: add it there")
        };
        assert_eq!(broken(&files), [told("extra/"), told("free.rs")]);
    }

    #[test]
    fn rows_of_absent_folders_check_nothing() {
        assert_eq!(broken(&[("lib.rs", "mod machine;"), ("machine.rs", "use crate::members::X;")]), [""; 0]);
    }
}
