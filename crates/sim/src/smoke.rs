//! The smoke list: every scenario in every size and mode from fixed seeds, then chance for a while.

use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Error, Result, anyhow, bail};
use kinfolk_core::Rng;
use kinfolk_sim::{Kind, Report, Scenario, Trace, run, side_by_side};

/// The sizes of the smoke list: alone, the smallest groups, a usual one, and one where chance has room.
const SIZES: [usize; 6] = [1, 2, 3, 5, 16, 64];

/// From this size on a run takes so long that only the first half of the seeds is run, rounded up.
const LARGE: usize = 64;
const LARGE_SHARE: usize = 2;

/// How many runs from fresh seeds are made between two looks at the time.
const FRESH_AT_A_TIME: usize = 16;

/// How many broken runs are explained; all are counted.
const BROKEN_TOLD_MAX: usize = 10;

/// A scenario and its seed.
type Case = (Scenario, u64);

/// What has been run so far.
#[derive(Default)]
struct Tally {
    runs: usize,
    lasted: Duration,
    broken: Vec<Error>,
}

/// Runs the list from these seeds, then from fresh ones for as long as `fresh` says.
pub(crate) fn smoke(seeds: &[u64], fresh: Duration) -> Result<()> {
    let mut tally = Tally::default();
    tally.add(&fixed(seeds))?;
    let begun = Instant::now();
    let mut chance = Rng::from_seed(time_of_day());
    while begun.elapsed() < fresh && tally.broken.is_empty() {
        let cases: Vec<_> = (0..FRESH_AT_A_TIME).map(|_| by_chance(&mut chance)).collect();
        tally.add(&cases)?;
    }
    tally.verdict()
}

fn fixed(seeds: &[u64]) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL {
        for nodes in SIZES.into_iter().filter(|nodes| *nodes >= kind.nodes_min()) {
            let seeds = if nodes < LARGE { seeds } else { &seeds[..seeds.len().div_ceil(LARGE_SHARE)] };
            for (_, config) in Scenario::modes() {
                let of_seed = |seed: &u64| (Scenario::new(kind, nodes, config.clone(), *seed), *seed);
                cases.extend(seeds.iter().map(of_seed));
            }
        }
    }
    cases
}

/// Any scenario in any mode and size, mostly small, from a seed that nobody has seen.
fn by_chance(chance: &mut Rng) -> Case {
    let modes = Scenario::modes();
    let (_, config) = &modes[chance.below(modes.len())];
    let kind = Kind::ALL[chance.below(Kind::ALL.len())];
    let largest = SIZES[chance.below(SIZES.len())];
    let size = 1 + chance.below(largest);
    // Short enough to be typed.
    let seed = chance.next_u64() >> 32;
    (Scenario::new(kind, size.max(kind.nodes_min()), config.clone(), seed), seed)
}

fn time_of_day() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Tally {
    fn add(&mut self, cases: &[Case]) -> Result<()> {
        let reports = side_by_side(cases, |(scenario, seed)| run(scenario, *seed, Trace::off()));
        for ((scenario, seed), report) in cases.iter().zip(reports) {
            self.runs += 1;
            self.lasted += report.lasted;
            self.broken.extend(tell(scenario, *seed, &report)?);
        }
        Ok(())
    }

    fn verdict(&self) -> Result<()> {
        if self.broken.is_empty() {
            let hours = self.lasted.as_secs_f64() / 3_600.0;
            writeln!(io::stdout(), "{} runs of {hours:.1} virtual hours kept every invariant", self.runs)?;
            return Ok(());
        }
        self.broken.iter().take(BROKEN_TOLD_MAX).for_each(|error| eprintln!("\n{error}"));
        bail!("\n{} of {} runs broke an invariant", self.broken.len(), self.runs)
    }
}

/// Prints a run in one line. Returns what is wrong, if an invariant was broken, and how to see it again.
pub(crate) fn tell(scenario: &Scenario, seed: u64, report: &Report) -> Result<Option<Error>> {
    let (kind, nodes, mode) = (scenario.kind, scenario.nodes, scenario.mode());
    let outcome = if report.broken.is_some() { "BROKEN" } else { "ok" };
    writeln!(
        io::stdout(),
        "{kind:<9}  {mode:<9}  seed {seed:<10}  {nodes:>3} nodes  {:>5.0} s  {outcome:<6}  {}",
        report.lasted.as_secs_f64(),
        report.figures
    )?;
    Ok(report.broken.as_ref().map(|broken| {
        anyhow!(
            "{broken}\nto see it again: cargo run -p kinfolk-sim -- replay --scenario {kind} --mode {mode} \
             --nodes {nodes} --seed {seed}"
        )
    }))
}
