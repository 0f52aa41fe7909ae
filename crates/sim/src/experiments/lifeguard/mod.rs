//! Lifeguard's paper (Dadgar, Phillips, Currey, arXiv 1707.00788, DSN 2018): E3, false failures and latency in a group
//! some of whose members do not process messages for a while; E3b, the same by how many; E4, what a shorter suspicion
//! buys and costs; E5, members short of processor time. Each table's set-up stands in its own file.

mod accuracy;
mod anomalies;
mod latency;
mod stress;
mod tuning;

use super::modes::Mode;
use super::{Page, Settings};

/// A mode and what came of it.
struct Measured {
    mode: Mode,
    accuracy: anomalies::Totals,
    latency: latency::Latency,
}

/// Runs all of it.
pub(super) fn run(settings: &Settings) -> Page {
    let mut page = Page::new(
        "lifeguard",
        "Lifeguard's paper, measured on this code",
        settings,
        "N = 128. Some members have anomalies: while one lasts, what the member sends does not go out, and nothing that \
         comes reaches it; all of it waits. As in the paper, its rounds stand still in the first call that sends, until it \
         is through, and its clocks of suspicions run: the driver is stuck with the first message that does not go \
         out, and tells the machine so, which then begins nothing that would send another \
         (docs/protocol.md, congestion). \
         An FP is a failure event about a member that never had an anomaly and never crashed, at any member; an FP- is \
         one raised at a member that never had one either. Which members have anomalies comes from the seed, the same \
         ones for all modes. SWIM's time-out is alpha log10 N periods at alpha = 5; Lifeguard has alpha = 5 and beta = 6 \
         where nothing else is said. Percentages are of SWIM's sum; ± is half an interval of 95 % confidence, by the \
         scatter of the runs. Percentages of the paper are from its tables, [F] marks what was read off a figure.",
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
    // The quick form checks what is promised; these two promise nothing.
    if !settings.quick {
        accuracy::under_loss(settings, &mut page);
        stress::run(settings, &mut page);
    }
    page
}
