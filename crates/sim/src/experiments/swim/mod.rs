//! SWIM's paper (Das, Gupta, Motivala, DSN 2002): E1, what one protocol period finds, wrongly finds and costs, and how
//! news spreads; E2, joins under loss. Each table's set-up stands in its own file.

mod accuracy;
mod detection;
mod joins;
mod load;
mod paper;
mod spread;

use super::{Page, Settings};

/// Runs all of it.
pub(super) fn run(settings: &Settings) -> Page {
    let mut page = Page::new(
        "swim",
        "SWIM's paper, measured on this code",
        settings,
        "The paper's protocol is `SwimConfig::swim()` with gossip beside the probes, the exchange of views and the healer \
         switched off, so that updates ride on probes, their answers and nothing else, as in the paper. Two constants \
         are not the paper's: a message carries up to 20 updates, where the paper's had room for 6, and an update is \
         sent `2 ceil(log2(N + 1))` times, where the paper says `3 ceil(ln(N + 1))`: 12 and 12 at N = 32, 16 and 15 at \
         N = 128. Intervals are those of 95 % confidence. [F] marks what was read off a published figure.",
    );
    detection::run(settings, &mut page);
    accuracy::run(settings, &mut page);
    load::run(settings, &mut page);
    spread::run(settings, &mut page);
    joins::run(settings, &mut page);
    page
}
