//! Groups of 32 to 10,000 members: detection of crashes and silent hosts, dissemination, and the
//! cost of a member in traffic, connections, and memory. No published figures exist. The promise is
//! that these values do not grow with the group.

mod detection;
mod dissemination;
mod idle;
mod memory;

use self::detection::{Detection, End};
use super::large::Mode;
use super::{Axis, Bar, Page, Plot, Settings};

/// The sizes: half a power of ten apart, and the sizes of the papers.
const SIZES: [usize; 6] = [32, 128, 316, 1_000, 3_162, 10_000];
const SIZES_QUICK: [usize; 3] = [32, 128, 316];

/// The largest group in the papers' modes. Their exchanges of whole views would make larger groups
/// take hours.
const PAPERS_MAX: usize = 1_000;

/// The highest ratio between values that should be flat.
const FLAT: f64 = 1.10;

/// Runs the experiment.
pub(super) fn run(settings: &Settings) -> Page {
    let (modes, sizes) = (Mode::all(), settings.either(&SIZES[..], &SIZES_QUICK));
    let text = "Groups that have already formed, on links with a mean delay of 1 ms unless stated \
                otherwise, measured from 10 s on. Traffic is counted in messages as the codec \
                encodes them, without the overhead of QUIC, UDP, and IP. Groups of more than 1,000 \
                are simulated in the default mode only: in the others members exchange whole \
                views.";
    let mut page = Page::new("scale", "Large groups", settings, text);
    // Measure memory first: freed memory of other measurements would hide the growth of the
    // process.
    let memory = memory::measure(&modes, sizes);
    let idle = idle::measure(&modes, sizes, settings);
    let detections = detection::measure(&modes, sizes, settings);
    let dissemination = dissemination::measure(&modes, sizes, settings);
    page.bars =
        [detection::bars(&detections), dissemination::bars(&dissemination), idle::bars(&idle)].concat();
    page.tables = vec![
        detection::table(&detections),
        dissemination::table(&dissemination),
        idle::table(&idle),
        memory::table(&memory),
    ];
    page.plots = End::ALL.map(|end| detection_plot(end, &modes, &detections)).into();
    page.plots.push(idle::plot(&modes, &idle));
    page
}

fn detection_plot(end: End, modes: &[Mode], detections: &[Detection]) -> Plot {
    let of = |mode: &Mode| {
        let own = detections.iter().filter(|one| one.end == end && one.mode == mode.name);
        let points = own.filter_map(|one| Some((one.nodes as f64, one.all.median()?)));
        (mode.name.to_owned(), points.collect())
    };
    Plot {
        name: end.plot(),
        after: "detection",
        title: format!("{}: known to all, median", end.name()),
        x: Axis { label: "members", log: true },
        y: Axis { label: "s", log: false },
        curves: modes.iter().map(of).collect(),
    }
}

/// Every size in every mode that is simulated at this size.
fn cells<'a>(modes: &'a [Mode], sizes: &'a [usize]) -> impl Iterator<Item = (usize, &'a Mode)> {
    let all = sizes.iter().flat_map(move |nodes| modes.iter().map(move |mode| (*nodes, mode)));
    all.filter(|(nodes, mode)| *nodes <= PAPERS_MAX || mode.name == Mode::PROMISED)
}

/// A bar that checks whether the values, each with the size of its group, lie within a tenth of
/// each other.
fn flat(what: &str, values: &[(usize, f64)]) -> Option<Bar> {
    let by = |a: &&(usize, f64), b: &&(usize, f64)| a.1.total_cmp(&b.1);
    let (least, most) = (values.iter().min_by(by)?, values.iter().max_by(by)?);
    let apart = most.1 / least.1;
    let (first, last) = (values.first()?.0, values.last()?.0);
    let promise = format!("{what}: within 10 % of each other from N = {first} to {last}");
    let found =
        format!("{:.2} at N = {}, {:.2} at N = {}: {apart:.2} times", least.1, least.0, most.1, most.0);
    Some(Bar::new(promise, found, apart <= FLAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_within_a_tenth_are_flat() {
        assert!(flat("x", &[(32, 100.0), (128, 109.0)]).unwrap().met);
        let steep = flat("x", &[(32, 100.0), (128, 90.0), (316, 111.0)]).unwrap();
        assert!(!steep.met && steep.found.contains("90.00 at N = 128, 111.00 at N = 316"), "{}", steep.found);
        assert!(flat("x", &[]).is_none());
    }
}
