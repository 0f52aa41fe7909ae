//! `kinfolk report SERVICE HEALTH [NOTE]`: reports the health of a service whose check waits for
//! it.

use hyper::Method;

use crate::api::views::Report;
use crate::cli::ReportArgs;
use crate::client::{Client, block_on};
use crate::exit::Failure;

pub(crate) fn run(args: &ReportArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let path = format!("/v1/services/{}/report", args.service);
    let report = Report { health: args.health, note: args.note.clone() };
    // It prints nothing: programs and timers run it.
    block_on(client.send_for_status(Method::PUT, &path, &report))
}
