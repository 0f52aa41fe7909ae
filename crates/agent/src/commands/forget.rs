//! `kinfolk forget NAME`: makes an agent remove a failed or left member from the views of all
//! members.

use hyper::Method;

use super::print;
use crate::api::views::ForgottenView;
use crate::cli::ForgetArgs;
use crate::client::{Client, block_on};
use crate::exit::Failure;

pub(crate) fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let path = format!("/v1/members/{}", args.node);
    let ForgottenView { name, addr, state } = block_on(client.send(Method::DELETE, &path, None::<&()>))?;
    print(&format!(
        "{name} at {addr} ({}) is removed here; the other members remove it within seconds, by gossip\n",
        state.as_str()
    ))
}
