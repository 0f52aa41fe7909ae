//! `kinfolk event NAME [PAYLOAD]`: sends a named event to all members.

use hyper::Method;

use super::print;
use crate::api::views::{NewEvent, SentEventView};
use crate::cli::EventArgs;
use crate::client::{Client, block_on};
use crate::exit::Failure;

pub(crate) fn run(args: &EventArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let event = NewEvent { name: args.name.clone(), payload: args.payload.clone() };
    let SentEventView { name, members } = block_on(client.send(Method::POST, "/v1/events", Some(&event)))?;
    let others = if members == 1 { "1 other member".to_owned() } else { format!("{members} other members") };
    print(&format!("the event {name} is on its way to {others}\n"))
}
