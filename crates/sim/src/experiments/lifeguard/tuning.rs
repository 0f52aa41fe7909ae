//! E4: the benefit and the cost of a shorter suspicion, as in the chart of memberlist's authors, in
//! percent of SWIM at alpha 5.

use super::super::{Page, Row, Table, ratio};
use super::Measured;

/// For Lifeguard at alpha 5, 4, and 2: the median time of full detection and the FP, in percent of
/// SWIM.
const PAPER: [[f64; 2]; 3] = [[100.0, 2.0], [84.5, 5.0], [57.0, 14.0]];

/// Adds the table; `tuned` is Lifeguard at alpha 4 and 2.
pub(super) fn table(measured: &[Measured], tuned: &[Measured], page: &mut Page) {
    let swim = measured.iter().find(|one| one.mode.name == "SWIM");
    let (Some(swim), Some(lifeguard)) = (swim, measured.iter().find(|one| one.mode.name == "Lifeguard"))
    else {
        return;
    };
    let text = "Lifeguard with beta = 6 on the runs of E3. *All* is the median time until all \
                healthy members have declared the failure of a member with an anomaly.";
    let columns = [
        ("alpha", "alpha"),
        ("full", "all, s"),
        ("full_percent", "all, % of SWIM"),
        ("full_paper", "paper [F]"),
        ("fp_percent", "FP, % of SWIM"),
        ("fp_within", "±"),
        ("fp_paper", "paper [F]"),
        ("fp_healthy_percent", "FP-, % of SWIM"),
    ];
    let mut table = Table::new("tuning", "E4: tuning", text, columns);
    for (one, paper) in [lifeguard].into_iter().chain(tuned).zip(PAPER) {
        let percent = |figure| ratio(&one.accuracy.of(figure), &swim.accuracy.of(figure));
        let (full, of_swim) = (one.latency.full.median(), swim.latency.full.median());
        let fp = percent(|outcome| outcome.fp);
        let row = Row::new().real("alpha", one.mode.config.suspicion.alpha, 0).real("full", full, 2);
        let row = row.real("full_percent", full.zip(of_swim).map(|(full, swim)| full * 100.0 / swim), 1);
        let row =
            row.real("full_paper", paper[0], 1).real("fp_percent", fp.map(|(value, _)| value * 100.0), 2);
        let row =
            row.real("fp_within", fp.map(|(_, within)| within * 100.0), 2).real("fp_paper", paper[1], 0);
        let healthy = percent(|outcome| outcome.fp_healthy).map(|(value, _)| value * 100.0);
        table.push(row.real("fp_healthy_percent", healthy, 2));
    }
    page.tables.push(table);
}
