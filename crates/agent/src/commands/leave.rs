//! `kinfolk leave`: makes an agent leave its cluster permanently, and stop.

use hyper::Method;

use super::print;
use crate::api::views::LeftView;
use crate::cli::LeaveArgs;
use crate::client::{Client, block_on};
use crate::exit::Failure;

pub(crate) fn run(args: &LeaveArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let leave = client.send(Method::POST, "/v1/leave", None::<&()>);
    let LeftView { notified, confirmed } = block_on(leave)?;
    let members = if notified == 1 { "member" } else { "members" };
    print(&format!(
        "the agent left permanently and stops; it notified {notified} {members} directly, and {confirmed} confirmed it\n"
    ))
}
