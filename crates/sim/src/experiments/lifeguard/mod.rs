//! Lifeguard's paper (Dadgar, Phillips, Currey, arXiv 1707.00788, DSN 2018). E3: false failures and
//! latency in a group in which some members do not process messages for a while. E3b: the same by
//! the number of these members. E4: the benefit and the cost of a shorter suspicion. E5: members
//! with too little processor time. The set-up of each table is in its own file.

mod accuracy;
mod anomalies;
mod latency;
mod stress;
mod tuning;

use super::modes::Mode;
use super::{Page, Settings};

/// A mode and its results.
struct Measured {
    mode: Mode,
    accuracy: anomalies::Totals,
    latency: latency::Latency,
}

/// Runs all parts.
pub(super) fn run(settings: &Settings) -> Page {
    let mut page = Page::new(
        "lifeguard",
        "Lifeguard's paper, measured on this code",
        settings,
        "N = 128. Some members have anomalies. While an anomaly lasts, the messages of the member \
         do not go out, and no message reaches it; all of them wait. As in the paper, the member's \
         rounds stop in the first call that sends, until that call ends, and its suspicion timers \
         run. The driver waits in the first message that does not go out. It reports back-pressure \
         to the machine, which then starts nothing that sends another message (docs/protocol.md, \
         back-pressure). An FP is a failure event about a member that never had an anomaly and \
         never crashed, at any member. An FP- is an FP at a member that never had an anomaly \
         either. The seed decides which members have anomalies; they are the same for all modes. \
         SWIM's time-out is alpha log10 N periods with alpha = 5. Lifeguard has alpha = 5 and beta \
         = 6 unless stated otherwise. Percentages are of SWIM's sum; ± is half of a 95 % \
         confidence interval, from the scatter of the runs. Percentages of the paper are from its \
         tables; [F] marks values that were read off a figure.",
    );
    let measure = |mode: Mode| Measured {
        accuracy: anomalies::totals(&mode, settings, anomalies::Condition::Clean),
        latency: latency::measure(&mode, settings),
        mode,
    };
    let measured: Vec<Measured> = Mode::all().into_iter().map(measure).collect();
    let tuned: Vec<Measured> = [4.0, 2.0].map(Mode::lifeguard).into_iter().map(measure).collect();
    accuracy::tables(settings, &measured, &mut page);
    latency::table(settings, &measured, &mut page);
    tuning::table(&measured, &tuned, &mut page);
    // The quick form checks the promises; these two parts have none.
    if !settings.quick {
        accuracy::under_loss(settings, &mut page);
        stress::run(settings, &mut page);
    }
    page
}
