//! `kinfolk reload`: makes an agent read its files again.

use hyper::Method;

use super::print;
use crate::api::views::ReloadedView;
use crate::cli::ReloadArgs;
use crate::client::{Client, block_on};
use crate::exit::Failure;

pub(crate) fn run(args: &ReloadArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let ReloadedView { reloaded } = block_on(client.send(Method::POST, "/v1/reload", None::<&()>))?;
    print(&if reloaded.is_empty() {
        "no setting of the agent has a file to open or read again\n".to_owned()
    } else {
        format!("the agent reloaded {}\n", reloaded.join(", "))
    })
}
