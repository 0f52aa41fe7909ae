//! `kinfolk select SERVICE`: chooses an instance of a service, and prints its address.

use serde::Serialize;

use super::{json, print};
use crate::api::views::ChoiceView;
use crate::cli::{Output, SelectArgs, StrategyArg};
use crate::client::{Client, block_on, query};
use crate::exit::Failure;

/// The query of the request.
#[derive(Serialize)]
struct Query<'a> {
    strategy: Option<&'static str>,
    key: Option<&'a str>,
    tag: &'a [String],
    meta: &'a [String],
}

pub(crate) fn run(args: &SelectArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let asked = Query {
        strategy: args.strategy.map(StrategyArg::as_str),
        key: args.key.as_deref(),
        tag: &args.tag,
        meta: &args.meta,
    };
    let path = query(&format!("/v1/services/{}/select", args.service), &asked)?;
    let choice: ChoiceView = block_on(client.get(&path))?;
    if choice.panic && matches!(args.output, Output::Table) {
        // The address alone would not say that its service may be ill. Scripts read standard
        // output.
        let service = &args.service;
        eprintln!(
            "kinfolk: too few instances of {service} are well, so all count; `kinfolk services {service}` shows them"
        );
    }
    print(&match args.output {
        Output::Json | Output::Jsonl => json(&choice)?,
        // The address alone, so that a script can use it.
        Output::Table => format!("{}\n", choice.addr),
        Output::Wide => format!("{}\n{}\n", choice.addr, choice.why),
    })
}
