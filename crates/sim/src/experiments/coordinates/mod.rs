//! Network coordinates: how good the estimates of round trips become in a new group, how many
//! statements that takes, and what one false coordinate does. Vivaldi's paper has a median error of
//! about 11 % for 1,740 hosts.

mod fast;
mod group;
mod liar;
mod lie;
mod network;
mod settle;

use super::{Page, Sample, Settings};

/// Runs the experiment.
pub(super) fn run(settings: &Settings) -> Page {
    let text = "Members in five regions of three sites each. The round trips are 65 to 300 ms between regions, 4 to 12 ms \
         between the sites of a region, and 0.3 ms within a site; the access of each member adds 0.1 to 3 ms to each \
         of its own. 5 % of the pairs take a detour of 1.5 to 2.5 times, so that the way over a third member is \
         shorter, which no coordinates can express. A measurement has a jitter with a mean of 2 % and 0.1 ms; one \
         in 50 is delayed by 30 ms more, on average. Each member has the neighbours that the rings of `Verified` \
         mode give it, and makes one observation in a second. While its locator lacks peers, every other one is of a \
         random member, and later every 20th. Statements follow the rule that members use. *Errors* are those of the \
         estimates for all pairs of members, from the coordinates that both have stated, relative to the true round trip.";
    let mut page = Page::new("coordinates", "Network coordinates", settings, text);
    let (settled, lies, fast) = (settle::measure(settings), liar::measure(settings), fast::measure(settings));
    page.bars = settle::bars(&settled);
    page.bars.extend(liar::bars(&lies));
    page.bars.extend(fast::bars(&fast));
    page.tables = vec![settle::table(&settled), liar::table(&lies), fast::table(&fast)];
    page
}

fn sample(values: &[f64]) -> Sample {
    values.iter().copied().collect()
}

/// A percentile of relative errors, in per cent.
fn percent(errors: &[f64], percentile: f64) -> Option<f64> {
    sample(errors).percentile(percentile).map(|error| error * 100.0)
}
