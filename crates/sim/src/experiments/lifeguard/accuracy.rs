//! E3 and E3b: false failures by mode, and by the number of members with anomalies at the same
//! time. The same under faults of the network, which the paper does not have.

use super::super::modes::Mode;
use super::super::{Axis, Bar, Page, Plot, Row, Settings, Table, ratio};
use super::Measured;
use super::anomalies::{self, CONCURRENT, Condition, Outcome, QUICK, Totals};

/// The paper's table: FP and FP- as percentages of SWIM's, then messages and bytes.
const PAPER: [(&str, [f64; 4]); 5] = [
    ("SWIM", [100.0, 100.0, 100.0, 100.0]),
    ("LHA-Probe", [67.72, 32.88, 98.46, 90.03]),
    ("LHA-Suspicion", [3.00, 6.71, 111.31, 106.52]),
    ("Buddy", [94.08, 44.57, 100.07, 99.01]),
    ("Lifeguard", [1.53, 1.89, 110.59, 97.97]),
];
/// The paper's figure of false failures by C, for each value of [`CONCURRENT`].
const PAPER_BY_C: [(&str, [f64; 9]); 4] = [
    ("SWIM", [900.0, 6_000.0, 11_000.0, 23_000.0, 35_000.0, 46_000.0, 59_000.0, 77_000.0, 82_000.0]),
    ("LHA-Probe", [510.0, 3_200.0, 7_200.0, 15_000.0, 22_000.0, 37_000.0, 42_000.0, 50_000.0, 53_000.0]),
    ("LHA-Suspicion", [49.0, 310.0, 140.0, 580.0, 1_340.0, 1_120.0, 1_760.0, 2_900.0, 2_000.0]),
    ("Lifeguard", [18.0, 140.0, 110.0, 225.0, 570.0, 750.0, 840.0, 1_330.0, 1_200.0]),
];

const FIGURES: [fn(&Outcome) -> u64; 4] = [|o| o.fp, |o| o.fp_healthy, |o| o.messages, |o| o.bytes];
/// The highest values that a mode may have, in percent of SWIM: FP, FP-, and messages.
const PROMISED: [(&str, [Option<f64>; 3]); 2] =
    [("Lifeguard", [Some(3.0), Some(4.0), None]), ("Verified", [Some(0.15), Some(0.2), Some(105.0)])];

const COLUMNS: [(&str, &str); 15] = [
    ("mode", "mode"),
    ("fp", "FP"),
    ("fp_healthy", "FP-"),
    ("fp_percent", "FP, %"),
    ("fp_within", "±"),
    ("fp_paper", "paper"),
    ("fp_healthy_percent", "FP-, %"),
    ("fp_healthy_within", "±"),
    ("fp_healthy_paper", "paper"),
    ("messages", "messages, M"),
    ("messages_percent", "%"),
    ("messages_paper", "paper"),
    ("gib", "GiB"),
    ("bytes_percent", "%"),
    ("bytes_paper", "paper"),
];

/// Adds the tables of the runs without network faults.
pub(super) fn tables(settings: &Settings, measured: &[Measured], page: &mut Page) {
    let Some(swim) = measured.first() else { return };
    let text = format!(
        "C of the members alternate between anomalies of length D and pauses of length I for 115 \
         s. C is 1, 4, 8, and so on to 32; D is 512, 2,048, 8,192, or 32,768 ms; I is 1, 64, \
         1,024, or 16,384 ms (the paper's grid has 9 values of D and 8 of I). Every third cell of \
         the grid is run (in the quick form C = 16, D = 32,768, and two values of I): {} runs a \
         mode, {} for each cell.",
        swim.accuracy.0.len(),
        anomalies::repetitions(settings, Condition::Clean)
    );
    let mut table = Table::new("accuracy", "E3: false failures", text, COLUMNS);
    for one in measured {
        table.push(row(one.mode.name, &one.accuracy, &swim.accuracy, true));
        promised(one, &swim.accuracy, page);
    }
    page.tables.push(table);
    by_concurrency(settings, measured, page);
}

/// Adds the promises of a mode, relative to SWIM.
fn promised(one: &Measured, swim: &Totals, page: &mut Page) {
    let Some((_, most)) = PROMISED.iter().find(|(name, _)| *name == one.mode.name) else { return };
    for ((what, most), figure) in ["FP", "FP-", "messages"].iter().zip(most).zip(FIGURES) {
        let Some(most) = most else { continue };
        let promise = format!("E3: {what} of {} at most {most} % of SWIM's", one.mode.name);
        page.bars.push(if let Some((found, within)) = ratio(&one.accuracy.of(figure), &swim.of(figure)) {
            let found_within = format!("{:.2} ± {:.2} %", found * 100.0, within * 100.0);
            Bar::new(promise, found_within, found * 100.0 <= *most)
        } else {
            // SWIM has none in so few runs. A ratio is then undefined, and the promise is met only
            // by zero.
            let count = one.accuracy.sum(figure);
            Bar::new(promise, format!("{count} where SWIM has none"), count == 0)
        });
    }
}

fn row(name: &'static str, one: &Totals, swim: &Totals, with_paper: bool) -> Row {
    let percent = |figure| {
        ratio(&one.of(figure), &swim.of(figure)).map(|(value, within)| (value * 100.0, within * 100.0))
    };
    let [fp, fp_healthy, messages, bytes] = FIGURES;
    let paper = PAPER.iter().find(|(of, _)| *of == name && with_paper).map(|(_, paper)| *paper);
    let row = Row::new().with("mode", name).with("fp", one.sum(fp)).with("fp_healthy", one.sum(fp_healthy));
    let row =
        row.real("fp_percent", percent(fp).map(|p| p.0), 2).real("fp_within", percent(fp).map(|p| p.1), 2);
    let row = row.real("fp_paper", paper.map(|paper| paper[0]), 2);
    let row = row.real("fp_healthy_percent", percent(fp_healthy).map(|p| p.0), 2);
    let row = row.real("fp_healthy_within", percent(fp_healthy).map(|p| p.1), 2);
    let row = row.real("fp_healthy_paper", paper.map(|paper| paper[1]), 2);
    let row = row.real("messages", one.sum(messages) as f64 / 1e6, 2);
    let row = row.real("messages_percent", percent(messages).map(|p| p.0), 2);
    let row = row.real("messages_paper", paper.map(|paper| paper[2]), 2);
    let row = row.real("gib", one.sum(bytes) as f64 / f64::from(1 << 30), 3);
    let row = row.real("bytes_percent", percent(bytes).map(|p| p.0), 2);
    row.real("bytes_paper", paper.map(|paper| paper[3]), 2)
}

/// Adds the table and the plot of E3b.
fn by_concurrency(settings: &Settings, measured: &[Measured], page: &mut Page) {
    let columns = [
        ("c", "C"),
        ("mode", "mode"),
        ("per_run", "FP a run"),
        ("percent", "FP, % of SWIM"),
        ("within", "±"),
        ("paper", "paper [F]"),
    ];
    let text = "The runs of E3 by the number of members that have anomalies at the same time.";
    let mut table = Table::new("by-concurrency", "E3b: false failures by concurrency", text, columns);
    let mut curves: Vec<(String, Vec<(f64, f64)>)> =
        measured.iter().map(|one| (one.mode.name.to_owned(), Vec::new())).collect();
    for concurrent in settings.either(&CONCURRENT[..], &QUICK[..]) {
        let swim = measured[0].accuracy.with(*concurrent);
        for (one, (_, curve)) in measured.iter().zip(&mut curves) {
            let fp = one.accuracy.with(*concurrent);
            let percent = ratio(&fp.of(FIGURES[0]), &swim.of(FIGURES[0]));
            let per_run = fp.sum(FIGURES[0]) as f64 / fp.0.len().max(1) as f64;
            curve.push((*concurrent as f64, per_run));
            let row =
                Row::new().with("c", *concurrent).with("mode", one.mode.name).real("per_run", per_run, 2);
            let row = row.real("percent", percent.map(|(value, _)| value * 100.0), 2);
            let row = row.real("within", percent.map(|(_, within)| within * 100.0), 2);
            table.push(row.real("paper", paper_by_c(one.mode.name, *concurrent), 2));
        }
    }
    page.plots.push(Plot {
        name: "by-concurrency",
        after: table.name,
        title: "False failures by members with anomalies at once".to_owned(),
        x: Axis { label: "C", log: false },
        y: Axis { label: "false failures a run", log: true },
        curves,
    });
    page.tables.push(table);
}

/// The paper's false failures of that mode, in percent of SWIM's.
fn paper_by_c(name: &str, concurrent: usize) -> Option<f64> {
    let place = CONCURRENT.iter().position(|of| *of == concurrent)?;
    let of = |name: &str| PAPER_BY_C.iter().find(|(of, _)| *of == name).map(|(_, figures)| figures[place]);
    Some(of(name)? * 100.0 / of("SWIM")?)
}

/// Adds the tables of the runs in which messages are lost.
pub(super) fn under_loss(settings: &Settings, page: &mut Page) {
    let conditions = [
        ("loss-1", "E3 with 1 % loss", "1 % of all messages are lost.", Condition::Loss(0.01)),
        ("loss-5", "E3 with 5 % loss", "5 % of all messages are lost.", Condition::Loss(0.05)),
        (
            "one-way",
            "E3 with one-way loss",
            "20 % of the messages to 8 of the members without anomalies is lost, but none of the \
             messages from them. A failure of such a member is false. A false failure at such a \
             member counts only as an FP.",
            Condition::OneWay,
        ),
    ];
    for (name, title, text, condition) in conditions {
        let all: Vec<(Mode, Totals)> = Mode::all()
            .into_iter()
            .map(|mode| (mode.clone(), anomalies::totals(&mode, settings, condition)))
            .collect();
        let Some((_, swim)) = all.first() else { return };
        let text = format!("{text} Every thirteenth cell of the grid, once: {} runs a mode.", swim.0.len());
        // The paper has no runs with loss, so its columns would be empty.
        let columns = COLUMNS.into_iter().filter(|(cell, _)| !cell.ends_with("_paper"));
        let mut table = Table { columns: Table::columns(columns), ..Table::new(name, title, text, []) };
        for (mode, totals) in &all {
            table.push(row(mode.name, totals, swim, false));
        }
        page.tables.push(table);
    }
}
