//! `kinfolk demo`: the newcomer's command. Real members in one process, over real QUIC on the loopback interface, and the
//! story of what becomes of them, told as it happens.

mod awaited;
mod nodes;
mod screen;
mod stage;
mod story;
mod summary;
mod told;
mod views;

use crate::cli::DemoArgs;
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Status::Failed, error))?;
    let told = runtime.block_on(story::tell(args));
    // Members that still run when a step failed are not waited for.
    runtime.shutdown_background();
    told
}
