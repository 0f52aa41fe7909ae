//! SWIM's paper (Das, Gupta, Motivala, DSN 2002): E1, what its formulas promise of one protocol period.

use super::Settings;
use super::page::Page;
use super::row::Row;
use super::table::Table;

/// The chance that a live member is found faulty in one period without suspicion, by the paper's formula
/// `q_f (1 - q_ml^2) (1 - q_f q_ml^4)^k e^q_f / (e^q_f - 1)` at `q_f = 1`, all members live.
fn false_detection(loss: f64, helpers: i32) -> f64 {
    let arrives = 1.0 - loss;
    let e = std::f64::consts::E;
    (1.0 - arrives.powi(2)) * (1.0 - arrives.powi(4)).powi(helpers) * e / (e - 1.0)
}

/// Runs it.
pub(super) fn run(settings: &Settings) -> Page {
    let mut page = Page::new("swim", "SWIM's paper", settings, "");
    let columns = [("loss", "loss, %"), ("k", "k"), ("formula", "formula")];
    let mut table = Table::new("false-detection", "False detections", "", columns);
    for loss in [1_u64, 2, 5, 10, 20] {
        for k in [1_u64, 2, 3, 5] {
            let formula = false_detection(loss as f64 / 100.0, i32::try_from(k).unwrap_or(0));
            table.push(Row::new().with("loss", loss).with("k", k).tiny("formula", formula));
        }
    }
    page.tables.push(table);
    page
}
