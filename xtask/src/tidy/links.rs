//! Relative links between documents lead to files that exist. Links into the web are not checked:
//! the rules must not need a network.

use std::path::Path;

use super::Finding;

/// Every relative link in this document that leads to no file.
pub(super) fn broken(root: &Path, file: &Path, text: &str) -> Vec<Finding> {
    let folder = root.join(file.parent().unwrap_or(Path::new("")));
    let mut findings = Vec::new();
    for (line, target) in targets(text) {
        let Some(path) = relative_path(&target) else { continue };
        // A leading slash means the repository's root, as on the usual hosting sites. `Path::join`
        // would take it for the root of the file system.
        let place = path.strip_prefix('/').map_or_else(|| folder.join(path), |path| root.join(path));
        if !place.exists() {
            let message = format!("the link to `{target}` leads to no file");
            findings.push(Finding { file: file.to_path_buf(), line, message });
        }
    }
    findings
}

/// The file part of a link, unless it leads into the web or stays on the page.
fn relative_path(target: &str) -> Option<&str> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let has_scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    (!path.is_empty() && !has_scheme && !path.starts_with("//")).then_some(path)
}

/// The targets of all links outside code, with their lines: `[text](target)` and `[label]: target`.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut fence: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(opened)) => fence = Some(opened),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => targets.extend(line_targets(line).into_iter().map(|target| (number, target))),
            (Some(_), _) => {}
        }
    }
    targets
}

fn line_targets(line: &str) -> Vec<String> {
    // Every second part between backticks is code.
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let definition = prose.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    inline.chain(definition.map(|(_, target)| target)).filter_map(without_title).collect()
}

/// The target without a title behind it and without angle brackets around it.
fn without_title(target: &str) -> Option<String> {
    let target = target.trim();
    if let Some(rest) = target.strip_prefix('<') {
        return rest.split_once('>').map(|(target, _)| target.to_owned());
    }
    target.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        targets(text).into_iter().map(|(_, target)| target).collect()
    }

    #[test]
    fn links_are_found_in_each_form() {
        assert_eq!(found("[a](one.md) and ![b](two.png \"title\")"), ["one.md", "two.png"]);
        assert_eq!(found("[label]: three.md"), ["three.md"]);
        assert_eq!(found("[a](<with space.md>)"), ["with space.md"]);
        assert_eq!(found("[`code`](four.md)"), ["four.md"]);
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(found("```text\n[a](one.md)\n```\n`[b](two.md)` [c](three.md)"), ["three.md"]);
    }

    #[test]
    fn web_addresses_and_anchors_are_not_paths() {
        assert_eq!(relative_path("https://example.org/a.md"), None);
        assert_eq!(relative_path("mailto:a@example.org"), None);
        assert_eq!(relative_path("#section"), None);
        assert_eq!(relative_path("docs/a.md#section"), Some("docs/a.md"));
    }

    #[test]
    fn broken_link_is_found_with_its_line() {
        let root = crate::shell::root();
        let text = "[ok](Cargo.toml)\n\n[absent](../xtask/nowhere.md#there)\n[root](/xtask/Cargo.toml)";
        let findings = broken(&root, Path::new("xtask/made-up.md"), text);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 3);
        assert_eq!(findings[0].message, "the link to `../xtask/nowhere.md#there` leads to no file");
    }
}
