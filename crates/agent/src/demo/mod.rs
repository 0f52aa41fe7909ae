//! `kinfolk demo`: starts real members in one process, over real QUIC on the loopback interface,
//! and prints what happens to them. It is the first command for a newcomer.

mod awaited;
mod event_lines;
mod nodes;
mod runner;
mod screen;
mod steps;
mod summary;
mod views;

use crate::cli::DemoArgs;
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    // Several threads: the members work side by side, as they do on their own machines. A failure
    // means that the system refused a thread. What to do: raise the limits of this user.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot start the async runtime: {error}"))
    })?;
    let result = runtime.block_on(steps::run(args));
    // If a step failed, members still run. The exit must not wait for them.
    runtime.shutdown_background();
    result
}
