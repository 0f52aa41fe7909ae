//! The smoke list: every scenario in every size and mode, first from fixed seeds and then from
//! random ones for a given time.

use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Error, Result, anyhow, bail};
use kinfolk_core::Rng;
use kinfolk_sim::{Kind, Report, Scenario, Trace, run, side_by_side};

/// The group sizes of the smoke list: one node, the smallest groups, a common size, and a size at
/// which random selection matters.
const SIZES: [usize; 6] = [1, 2, 3, 5, 16, 64];

/// From this size on, the list runs only the first half of the seeds, rounded up, because each run
/// takes long.
const LARGE: usize = 64;
const LARGE_SHARE: usize = 2;

/// How many runs from fresh seeds happen between two checks of the time.
const FRESH_AT_A_TIME: usize = 16;

/// How many broken runs are printed; all of them are counted.
const BROKEN_PRINTED_MAX: usize = 10;

/// A scenario and its seed.
type Case = (Scenario, u64);

/// The runs so far.
#[derive(Default)]
struct Tally {
    runs: usize,
    lasted: Duration,
    broken: Vec<Error>,
}

/// Runs the list from these seeds, and then random cases for the time `fresh`.
pub(crate) fn smoke(seeds: &[u64], fresh: Duration) -> Result<()> {
    let mut tally = Tally::default();
    tally.add(&fixed(seeds))?;
    let begun = Instant::now();
    // Fresh seeds come from the clock, so that each call tries other runs. A violation prints its
    // seed, so it can be repeated.
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

/// A random scenario, mode, and size, mostly small, from a random seed.
fn by_chance(chance: &mut Rng) -> Case {
    let modes = Scenario::modes();
    let (_, config) = &modes[chance.below(modes.len())];
    let kind = Kind::ALL[chance.below(Kind::ALL.len())];
    let largest = SIZES[chance.below(SIZES.len())];
    let size = 1 + chance.below(largest);
    // 32 bits keep the seed short enough to type.
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
            self.broken.extend(print_report(scenario, *seed, &report)?);
        }
        Ok(())
    }

    fn verdict(&self) -> Result<()> {
        if self.broken.is_empty() {
            let hours = self.lasted.as_secs_f64() / 3_600.0;
            writeln!(io::stdout(), "{} runs of {hours:.1} virtual hours kept every invariant", self.runs)?;
            return Ok(());
        }
        self.broken.iter().take(BROKEN_PRINTED_MAX).for_each(|error| eprintln!("\n{error}"));
        bail!("\n{} of {} runs broke an invariant", self.broken.len(), self.runs)
    }
}

/// Prints one line about a run. Returns the violation, if there is one, with the command that
/// repeats the run.
pub(crate) fn print_report(scenario: &Scenario, seed: u64, report: &Report) -> Result<Option<Error>> {
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
