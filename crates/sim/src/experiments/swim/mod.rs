//! SWIM's paper (Das, Gupta, Motivala, DSN 2002). E1: what one protocol period detects, wrongly
//! detects, and costs, and how updates spread. E2: joins under loss. The set-up of each table is in
//! its own file.

mod accuracy;
mod detection;
mod joins;
mod load;
mod paper;
mod spread;

use super::{Page, Settings};

/// Runs all parts.
pub(super) fn run(settings: &Settings) -> Page {
    let mut page = Page::new(
        "swim",
        "SWIM's paper, measured on this code",
        settings,
        "The paper's protocol is `SwimConfig::swim()` with gossip beside the probes, the exchange \
         of views, and contacts with failed members switched off. Then only probes and their \
         replies carry updates, as in the paper. Two constants differ from the paper. A message \
         carries up to 20 updates, and in the paper 6. An update is sent `2 ceil(log2(N + 1))` \
         times, and in the paper `3 ceil(ln(N + 1))` times: 12 and 12 at N = 32, 16 and 15 at N = \
         128. Intervals have 95 % confidence. [F] marks values that were read off a published \
         figure.",
    );
    detection::run(settings, &mut page);
    accuracy::run(settings, &mut page);
    load::run(settings, &mut page);
    spread::run(settings, &mut page);
    joins::run(settings, &mut page);
    page
}
