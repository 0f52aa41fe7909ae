//! E6, after the curve of Hayashibara et al. (SRDS 2004): mistake rate against worst detection
//! time, as the threshold grows from 0.5 to 16, for this phi and for others. Each detector gets
//! heartbeats of three distributions with the same mean and standard deviation. The experiment
//! needs no world and no network.

mod arrivals;
mod estimators;
mod replay;

use kinfolk_core::Rng;

use self::arrivals::{DEVIATION, MEAN, Shape};
use self::estimators::Kind;
use self::replay::{Outcome, replay};
use super::{Axis, Bar, Page, Plot, Row, Sample, Settings, Share, Table, side_by_side};

const THRESHOLDS: [f64; 17] =
    [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0];
/// The thresholds in the tables; the plots show all.
const TABLE_THRESHOLDS: [f64; 5] = [1.0, 4.0, 8.0, 12.0, 16.0];
/// Mistake rates a second that an application may accept: one mistake in 17 minutes, three hours,
/// and a day.
const ACCEPTABLE_RATES: [(&str, f64); 3] = [("t_at_1e3", 1e-3), ("t_at_1e4", 1e-4), ("t_at_1e5", 1e-5)];

/// One point of one curve, over all seeds.
struct Point {
    shape: Shape,
    kind: Kind,
    threshold: f64,
    beats: u64,
    mistakes: u64,
    /// Mistakes a second.
    rate: f64,
    detection: Sample,
}

pub(super) fn run(settings: &Settings) -> Page {
    let (beats, seeds) = (settings.either(1_000_000, 100_000), settings.seeds(3, 1));
    let points = measure(beats, seeds);
    let mut page = Page::new("phi", "Phi: mistakes against detection time", settings, text(beats, seeds));
    page.bars = bars(&points);
    page.tables.push(acceptable(&points));
    for shape in Shape::ALL {
        page.tables.push(curve(shape, &points));
        page.plots.push(plot(shape, &points));
    }
    page
}

fn text(beats: usize, seeds: u64) -> String {
    format!(
        "Hayashibara et al. replayed a week of heartbeats through each detector. They drew the \
         mistake rate, on a logarithmic scale, against the worst detection time. Their trace is \
         not public, so this page reproduces the shape (a sharp drop, then a plateau at about phi \
         8 to 12), not the numbers.\n\n\
         - **Beats.** {beats} heartbeats from each of {seeds} seed(s), under each of three \
         distributions, all with mean {MEAN} s and standard deviation {DEVIATION} s: *normal*; \
         *log-normal*; *bursty*. Bursty beats are regular, but a burst starts after 0.2 % of them \
         and loses four on average (Gilbert and Elliott's channel; 0.8 % of all are lost).\n\
         - **Mistake.** A silence that ended after phi had reached the threshold. The rate is \
         mistakes a second. A point without any mistake is not drawn, because zero has no \
         logarithm.\n\
         - **Detection time.** The worst moment for a crash is right after a beat. The detection \
         time is the time from that beat until phi reaches the threshold: its mean over the \
         stream, and the 99th percentile. `-` means that no silence reaches the threshold.\n\
         - **Detectors.** *kinfolk*: this detector with its defaults (window 100), and with the \
         window of 1,000 of the others. *normal*: the paper's distribution and nothing else. \
         *exponential*: Cassandra's formula. *logistic*: Pekko's, with 3 s of acceptable pause and \
         a standard deviation of at least 100 ms. *empirical quantile*: the share of the window \
         that was longer. 1,000 intervals say nothing about events rarer than one in 1,001, phi 3. \
         All but the first keep the latest 1,000 intervals. kinfolk accepts thresholds from 1 \
         on.\n\n\
         In kinfolk, phi only starts a suspicion, which other members must confirm. Here each \
         detector works alone, so each of its mistakes counts. Bursts show why this matters. The \
         beats before a burst do not announce it, so only waiting helps. Since phi learns nothing \
         from outages, the wait stays short."
    )
}

fn measure(beats: usize, seeds: u64) -> Vec<Point> {
    let cells = cells();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; cells.len()];
    for seed in 1..=seeds {
        // All detectors get the same streams, so that differences come from the detectors alone.
        let streams = Shape::ALL.map(|shape| (shape, shape.draw(beats, &mut Rng::from_seed(seed))));
        let of_seed = side_by_side(&cells, |(shape, kind, threshold)| {
            let (_, stream) = streams.iter().find(|(of, _)| of == shape)?;
            replay(*kind, *threshold, stream)
        });
        for (outcome, more) in outcomes.iter_mut().zip(of_seed) {
            *outcome = match (outcome.take(), more) {
                (Some(known), Some(more)) => Some(known.and(more)),
                // The first seed has no earlier outcome. A detector that refuses the threshold has
                // no outcome for any seed.
                (known, more) => known.or(more),
            };
        }
    }
    let points = cells.into_iter().zip(outcomes);
    points
        .filter_map(|((shape, kind, threshold), outcome)| Some(Point::new(shape, kind, threshold, outcome?)))
        .collect()
}

fn cells() -> Vec<(Shape, Kind, f64)> {
    let of = |shape| {
        Kind::ALL.into_iter().flat_map(move |kind| THRESHOLDS.map(|threshold| (shape, kind, threshold)))
    };
    Shape::ALL.into_iter().flat_map(of).collect()
}

impl Point {
    fn new(shape: Shape, kind: Kind, threshold: f64, outcome: Outcome) -> Self {
        let Outcome { beats, mistakes, watched, detections } = outcome;
        let (rate, detection) = (mistakes as f64 / watched, detections.into_iter().collect());
        Self { shape, kind, threshold, beats, mistakes, rate, detection }
    }

    fn row(&self) -> Row {
        // Mistakes are rare events among the beats, so a share's confidence interval fits, divided
        // by the mean time between beats.
        let interval = Share { hits: self.mistakes, of: self.beats }.interval();
        Row::new()
            .with("law", self.shape.name())
            .with("detector", self.kind.name())
            .real("threshold", self.threshold, 1)
            .with("mistakes", self.mistakes)
            .tiny("rate", self.rate)
            .tiny("rate_low", interval.map(|(low, _)| low / MEAN))
            .tiny("rate_high", interval.map(|(_, high)| high / MEAN))
            .real("detection", self.detection.mean(), 2)
            .real("detection_p99", self.detection.percentile(99.0), 2)
            .real("detection_max", self.detection.max(), 2)
    }
}

/// For each distribution and detector, the shortest detection time with an acceptable mistake rate.
fn acceptable(points: &[Point]) -> Table {
    let columns = [
        ("law", "distribution"),
        ("detector", "detector"),
        (ACCEPTABLE_RATES[0].0, "at 1e-3/s"),
        (ACCEPTABLE_RATES[1].0, "at 1e-4/s"),
        (ACCEPTABLE_RATES[2].0, "at 1e-5/s"),
    ];
    let text = "The shortest mean detection time, in seconds, among the thresholds with at most \
                this mistake rate.";
    let mut table = Table::new("borne", "Detection time for an acceptable mistake rate", text, columns);
    for shape in Shape::ALL {
        for kind in Kind::ALL {
            let row = Row::new().with("law", shape.name()).with("detector", kind.name());
            table.push(
                ACCEPTABLE_RATES
                    .into_iter()
                    .fold(row, |row, (cell, rate)| row.real(cell, fastest(points, shape, kind, rate), 2)),
            );
        }
    }
    table
}

fn fastest(points: &[Point], shape: Shape, kind: Kind, rate: f64) -> Option<f64> {
    let fits = |point: &&Point| point.shape == shape && point.kind == kind && point.rate <= rate;
    points.iter().filter(fits).filter_map(|point| point.detection.mean()).min_by(f64::total_cmp)
}

fn curve(shape: Shape, points: &[Point]) -> Table {
    let (name, title) = match shape {
        Shape::Normal => ("normal", "Normal beats"),
        Shape::LogNormal => ("log-normal", "Log-normal beats"),
        Shape::Bursty => ("bursty", "Beats with bursts of loss"),
    };
    let columns = [
        ("detector", "detector"),
        ("threshold", "phi"),
        ("mistakes", "mistakes"),
        ("rate", "a second"),
        ("detection", "detection, s"),
        ("detection_p99", "p99, s"),
    ];
    let mut table = Table::new(name, title, "", columns);
    let shown =
        points.iter().filter(|point| point.shape == shape && TABLE_THRESHOLDS.contains(&point.threshold));
    shown.for_each(|point| table.push(point.row()));
    table
}

fn plot(shape: Shape, points: &[Point]) -> Plot {
    let of = |kind: Kind| {
        let own = points.iter().filter(move |point| point.shape == shape && point.kind == kind);
        let drawn = own.filter_map(|point| Some((point.detection.mean()?, point.rate)));
        (kind.name().to_owned(), drawn.collect())
    };
    Plot {
        name: shape.name(),
        after: shape.name(),
        title: format!("Mistake rate against detection time, {shape} beats, phi 0.5 to 16"),
        x: Axis { label: "worst detection time, mean, s", log: true },
        y: Axis { label: "mistakes a second", log: true },
        curves: Kind::ALL.map(of).into(),
    }
}

fn bars(points: &[Point]) -> Vec<Bar> {
    let find = |shape, kind, threshold: f64| {
        let same = |point: &&Point| {
            point.shape == shape && point.kind == kind && (point.threshold - threshold).abs() < 1e-9
        };
        points.iter().find(same)
    };
    let rate = |shape, kind, threshold| find(shape, kind, threshold).map_or(f64::NAN, |point| point.rate);
    // The paper's figure drops up to about phi 8, and its plateau goes up to about 12.
    let rates = [1.0, 8.0, 12.0].map(|threshold| rate(Shape::Bursty, Kind::Normal, threshold));
    let (drop, plateau) = (rates[0] / rates[1], rates[1] / rates[2]);
    let mut bars = vec![Bar::new(
        "the published shape, with the normal distribution and bursts: a drop of more than 5 times \
         from phi 1 to 8, then a plateau of less than 2 times from 8 to 12",
        format!("{drop:.1} times, then {plateau:.2} times"),
        drop > 5.0 && plateau < 2.0,
    )];
    for shape in Shape::ALL {
        let at = |kind| find(shape, kind, 8.0).and_then(|point| Some((point.detection.mean()?, point.rate)));
        let (Some((ours, mistakes)), Some((theirs, _))) = (at(Kind::Ours), at(Kind::Exponential)) else {
            continue;
        };
        bars.push(Bar::new(
            format!(
                "at phi 8, {shape} beats: detection in less than a quarter of the exponential detector's time"
            ),
            format!("{ours:.2} s against {theirs:.2} s, with {mistakes:.1e} mistakes a second"),
            ours < theirs / 4.0,
        ));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_and_detector_has_a_curve() {
        let points = measure(5_000, 1);
        assert_eq!(
            points.len(),
            Shape::ALL.len() * (Kind::ALL.len() * THRESHOLDS.len() - 2),
            "0.5 is too low for ours"
        );
        assert_eq!(acceptable(&points).rows.len(), 18);
        for shape in Shape::ALL {
            assert!(!curve(shape, &points).rows.is_empty());
            assert!(plot(shape, &points).curves.iter().all(|(_, curve)| !curve.is_empty()), "{shape}");
        }
    }

    #[test]
    fn seeds_add_up() {
        let [one, two] = [1, 2].map(|seeds| measure(3_000, seeds));
        assert!(two[0].mistakes > one[0].mistakes && two[0].beats == 2 * one[0].beats);
        assert_eq!(two[0].detection.len(), 2 * one[0].detection.len());
    }
}
