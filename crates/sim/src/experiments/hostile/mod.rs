//! Hostile members: one liar with each strategy, colluders against each quorum, and what the quorum
//! costs. No published figures exist. The promise is that fewer liars than the quorum remove no
//! honest member.

mod alone;
mod colluders;
mod crash;

use super::{Page, Settings};

/// How many accusers a failure may need.
const QUORUMS: [usize; 4] = [1, 2, 3, 4];

/// Runs the experiment.
pub(super) fn run(settings: &Settings) -> Page {
    let text = "Members with valid keys that lie, in groups in `Verified` mode that have formed. They run the \
         protocol, too. In a larger group a liar speaks about 31 members at a time, to 31 members: \
         first about those that it may accuse by the rings. The others pass on what counts.";
    let mut page = Page::new("hostile", "Hostile members", settings, text);
    let alone = alone::measure(settings);
    let colluders = colluders::measure(settings);
    let crash = crash::measure(settings);
    page.bars = alone::bars(&alone);
    page.bars.extend(colluders::bars(&colluders));
    page.bars.extend(crash::bars(&crash));
    page.tables = vec![alone::table(&alone), colluders::table(&colluders), crash::table(&crash)];
    page
}
