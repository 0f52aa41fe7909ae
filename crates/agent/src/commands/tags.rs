//! `kinfolk tags`: shows, sets, or removes tags of the agent's own member.

use hyper::Method;

use super::{json, print};
use crate::api::views::{TagChanges, TagsView};
use crate::cli::{ConnectArgs, ListTagsArgs, Output, TagsArgs, TagsCommand};
use crate::client::{Client, block_on};
use crate::exit::Failure;
use crate::render::{Cell, Paint, Tone, table};

const PATH: &str = "/v1/tags";

pub(crate) fn run(args: &TagsArgs) -> Result<(), Failure> {
    match &args.command {
        None => list(&args.list),
        Some(TagsCommand::List(args)) => list(args),
        Some(TagsCommand::Set(args)) => {
            let set = args.tags.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
            change(&args.connect, &TagChanges(set.collect()))
        }
        Some(TagsCommand::Unset(args)) => {
            change(&args.connect, &TagChanges(args.keys.iter().map(|key| (key.clone(), None)).collect()))
        }
    }
}

fn list(args: &ListTagsArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let view: TagsView = block_on(client.get(PATH))?;
    print(&match args.output {
        Output::Json | Output::Jsonl => json(&view)?,
        Output::Table => as_table(Paint::of_stdout(), &view),
        Output::Wide => as_table(Paint::of_stdout().uncut(), &view),
    })
}

/// Changes the tags, and shows all of them.
fn change(connect: &ConnectArgs, changes: &TagChanges) -> Result<(), Failure> {
    let client = Client::new(connect)?;
    let view: TagsView = block_on(client.send(Method::PATCH, PATH, Some(changes)))?;
    print(&as_table(Paint::of_stdout(), &view))
}

fn as_table(paint: Paint, view: &TagsView) -> String {
    if view.tags.is_empty() {
        return "the member has no tags\n".to_owned();
    }
    let row = |(key, value)| vec![Cell::new(Tone::Strong, key), Cell::plain(value)];
    table(paint, &["tag", "value"], &view.tags.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use kinfolk::Tags;

    use super::*;

    #[test]
    fn tags_have_a_line_each() {
        let view = |tags: &[(&str, &str)]| TagsView { tags: Tags::new(tags.iter().copied()).unwrap() };
        let lines = as_table(Paint::off(), &view(&[("zone", "a"), ("role", "x\ty")]));
        assert_eq!(lines, "tag   value\nrole  x\\ty\nzone  a\n");
        assert_eq!(as_table(Paint::off(), &view(&[])), "the member has no tags\n");
    }
}
