//! Rapid's paper (Suresh et al., USENIX ATC 2018): bootstrap, members with faults that a plain
//! failure detector cannot locate, and the cost. The set-ups are in the files of the parts.

mod bootstrap;
mod faults;

use self::bootstrap::Bootstrap;
use self::faults::{Case, Outcome};
use super::large::Mode;
use super::{Bar, Page, Settings};

/// The seconds that Rapid itself needs for the largest bootstrap.
const BOOTSTRAP_MAX: f64 = 53.0;
/// The KB a second that a process may send on average.
const SENT_MAX: f64 = 1.0;

/// Runs the experiment.
pub(super) fn run(settings: &Settings) -> Page {
    let modes = Mode::all();
    let text = "Rapid (Suresh et al., USENIX ATC 2018) compares itself with memberlist and \
                ZooKeeper on 100 machines. This page has its set-ups for the modes of this code. \
                Lifeguard has memberlist's settings for a LAN, which the paper used (alpha 4, beta \
                6).";
    let mut page = Page::new("rapid", "Rapid's paper: bootstrap, faulty members, cost", settings, text);
    let (formed, faults) = (bootstrap::measure(&modes, settings), faults::measure(&modes, settings));
    page.bars = bars(&formed, &faults);
    page.tables = vec![bootstrap::table(&formed), faults::table(&faults), faults::cost(&faults)];
    page
}

/// The promises are for the recommended mode.
fn bars(formed: &[Bootstrap], faults: &[Outcome]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for one in formed.iter().filter(|one| one.mode == Mode::PROMISED) {
        let worst = one.took.max().filter(|_| one.all_formed());
        let found = worst.map_or_else(|| "not every run formed".to_owned(), |worst| format!("{worst:.1} s"));
        let met = worst.is_some_and(|worst| worst <= BOOTSTRAP_MAX);
        bars.push(Bar::new(format!("bootstrap of {} within {BOOTSTRAP_MAX} s", one.nodes), found, met));
    }
    for one in faults.iter().filter(|one| one.mode == Mode::PROMISED) {
        let promise = format!(
            "{}: all faulty members failed within 60 s and to the end, no healthy member evicted",
            one.case.name()
        );
        bars.push(Bar::new(promise, one.found(), one.is_met()));
        if let Some(sent) = one.sent_mean().filter(|_| one.case == Case::Crash) {
            let promise = format!("at most {SENT_MAX} KB a second sent by a process on average");
            bars.push(Bar::new(promise, format!("{sent:.2} KB"), sent <= SENT_MAX));
        }
    }
    bars
}
