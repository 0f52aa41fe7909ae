//! `kinfolk reload`: makes an agent read its files again, and says what came of it.

use hyper::Method;

use super::{json, print};
use crate::api::views::ReloadedView;
use crate::cli::{Output, ReloadArgs};
use crate::client::{Client, block_on};
use crate::exit::Failure;

pub(crate) fn run(args: &ReloadArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let view: ReloadedView = block_on(client.send(Method::POST, "/v1/reload", None::<&()>))?;
    print(&match args.output {
        Output::Json | Output::Jsonl => json(&view)?,
        Output::Table => as_lines(&view, false),
        Output::Wide => as_lines(&view, true),
    })
}

/// A line for what was applied, and one for each setting that was not.
fn as_lines(view: &ReloadedView, wide: bool) -> String {
    let ReloadedView { applied, unchanged, restart, overruled, reopened } = view;
    let mut lines = Vec::new();
    if !applied.is_empty() {
        lines.push(format!("applied {}", applied.join(", ")));
    }
    if !reopened.is_empty() {
        lines.push(format!("opened {} again", reopened.join(", ")));
    }
    lines.extend(restart.iter().map(|name| format!("`{name}` changed; restart the agent to apply it")));
    lines.extend(overruled.iter().map(|name| {
        format!("`{name}` changed in the file, and a flag or a variable of the agent overrules it; change it there")
    }));
    if wide && !unchanged.is_empty() {
        lines.push(format!("unchanged: {}", unchanged.join(", ")));
    }
    if applied.is_empty() && restart.is_empty() && overruled.is_empty() {
        lines.push("no setting changed".to_owned());
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_was_not_applied_has_a_line() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let view = ReloadedView {
            applied: names(&["log_level", "services.db"]),
            unchanged: names(&["cert", "key"]),
            restart: names(&["listen"]),
            overruled: names(&["tags.role"]),
            reopened: names(&["event_log"]),
        };
        let expected = "\
applied log_level, services.db
opened event_log again
`listen` changed; restart the agent to apply it
`tags.role` changed in the file, and a flag or a variable of the agent overrules it; change it there
";
        assert_eq!(as_lines(&view, false), expected);
        assert_eq!(as_lines(&view, true), format!("{expected}unchanged: cert, key\n"));
        assert_eq!(as_lines(&ReloadedView::default(), false), "no setting changed\n");
    }
}
