//! `kinfolk revoke FILE`: gives an agent a revocation, which gossip brings to all members.

use std::fs::File;
use std::io::Read as _;

use hyper::Method;

use super::print;
use crate::api::views::{RevocationRequest, RevokedView};
use crate::cli::RevokeFileArgs;
use crate::client::{Client, block_on};
use crate::exit::{Failure, Status};

/// A revocation is far shorter. A longer file is another one.
const FILE_BYTES_MAX: u64 = 16 * 1024;

pub(crate) fn run(args: &RevokeFileArgs) -> Result<(), Failure> {
    let mut statement = String::new();
    let read =
        File::open(&args.file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut statement));
    read.map_err(|error| {
        // The file with the revocation cannot be read. What to do: give the file that `kinfolk ca
        // revoke` wrote.
        Failure::new(
            Status::Identity,
            format_args!(
                "cannot read {}: {error}; give the file that `kinfolk ca revoke` wrote",
                args.file.display()
            ),
        )
    })?;
    let client = Client::new(&args.connect)?;
    let request = RevocationRequest { statement };
    let RevokedView { name } = block_on(client.send(Method::POST, "/v1/revocations", Some(&request)))?;
    print(&format!(
        "the certificates of {name} are revoked here; the other members learn it within seconds, by gossip\n"
    ))
}
