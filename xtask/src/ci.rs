//! The gate: which steps it has, in which order, and how it tells of them. What a step does is the step's own business.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::{cargo_steps, chaos, deny, layers, loom, setup, sim, tidy};

/// The word in the line of a step that did not check all that it can check.
pub(crate) const SKIPPED: &str = "SKIPPED";

/// One step: the name is also the task that runs it alone; what it returns is its line in the table.
struct Step {
    name: &'static str,
    run: fn() -> Result<String>,
}

/// First the tools that the other steps need. Then the cheapest step first: it finds a slip before
/// anything long runs.
const GATE: &[Step] = &[
    Step { name: "setup", run: setup::setup },
    Step { name: "fmt", run: cargo_steps::fmt },
    Step { name: "layers", run: layers::check },
    Step { name: "tidy", run: tidy::check },
    Step { name: "deny", run: deny::check },
    Step { name: "clippy", run: cargo_steps::clippy },
    NEXTEST,
    DOCTEST,
    Step { name: "rustdoc", run: cargo_steps::rustdoc },
    Step { name: "loom", run: || loom::check(false) },
    Step { name: "sim", run: || sim::smoke(&[]) },
    Step { name: "experiments", run: sim::experiments },
    Step { name: "alone", run: cargo_steps::alone },
    Step { name: "chaos", run: || chaos::chaos(&["--quick".to_owned()]) },
];

const NEXTEST: Step = Step { name: "nextest", run: cargo_steps::nextest };
const DOCTEST: Step = Step { name: "doctest", run: cargo_steps::doctest };

/// Every step.
pub(crate) fn gate() -> Result<String> {
    run_in_order(GATE)
}

/// Only the steps that run tests.
pub(crate) fn tests() -> Result<String> {
    run_in_order(&[NEXTEST, DOCTEST])
}

/// What is known of a step that ran.
struct Done {
    name: &'static str,
    took: Duration,
    outcome: Result<String, String>,
}

fn run_in_order(steps: &[Step]) -> Result<String> {
    let begun = Instant::now();
    let mut done = Vec::new();
    for step in steps {
        eprintln!("==> {}", step.name);
        let step_begun = Instant::now();
        let outcome = (step.run)();
        let took = step_begun.elapsed();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        eprintln!("<== {} {word} in {}\n", step.name, seconds(took));
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
        done.push(Done { name: step.name, took, outcome: outcome.map_err(|_| "FAILED".to_owned()) });
        if let Some(failure) = failure {
            eprintln!("{}", table(steps, &done, begun.elapsed()));
            return Err(anyhow!("step `{0}`: {failure}\nrun it alone with: cargo xtask {0}", step.name));
        }
    }
    Ok(format!("{}\n{}", table(steps, &done, begun.elapsed()), verdict(&done)))
}

/// The last line. A step that skipped something is named: its silence must not look like a success.
fn verdict(done: &[Done]) -> String {
    let skipped = |step: &&Done| step.outcome.as_ref().is_ok_and(|note| note.contains(SKIPPED));
    let skipped: Vec<&str> = done.iter().filter(skipped).map(|step| step.name).collect();
    if skipped.is_empty() {
        return format!("all {} steps passed", done.len());
    }
    format!(
        "*** {SKIPPED}, in whole or in part: {} *** nothing failed in the {} steps",
        skipped.join(", "),
        done.len()
    )
}

fn table(steps: &[Step], done: &[Done], total: Duration) -> String {
    let mut text = String::from("step            time  outcome\n");
    for step in done {
        let (Ok(note) | Err(note)) = &step.outcome;
        writeln!(text, "{:<11}{:>9}  {note}", step.name, seconds(step.took)).expect("a String takes all");
    }
    for step in &steps[done.len()..] {
        writeln!(text, "{:<11}{:>9}  not run", step.name, "-").expect("a String takes all");
    }
    write!(text, "{:<11}{:>9}", "total", seconds(total)).expect("a String takes all");
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Step = Step { name: "good", run: || Ok("3 things".to_owned()) };
    const BAD: Step = Step { name: "bad", run: || Err(anyhow!("two and two are five")) };
    const NEVER: Step = Step { name: "never", run: || panic!("ran after a failure") };

    #[test]
    fn the_first_failure_stops_the_gate_and_says_how_to_run_that_step_alone() {
        let error = run_in_order(&[GOOD, BAD, NEVER]).unwrap_err().to_string();
        assert_eq!(error, "step `bad`: two and two are five\nrun it alone with: cargo xtask bad");
    }

    #[test]
    fn a_passed_gate_ends_with_the_count_of_its_steps() {
        assert!(run_in_order(&[GOOD, GOOD]).unwrap().ends_with("all 2 steps passed"));
    }

    #[test]
    fn a_gate_that_skipped_something_does_not_say_that_all_passed() {
        const HALF: Step = Step { name: "half", run: || Ok(format!("one part; {SKIPPED} the other")) };
        let text = run_in_order(&[GOOD, HALF]).unwrap();
        let last = text.lines().last();
        assert_eq!(last, Some("*** SKIPPED, in whole or in part: half *** nothing failed in the 2 steps"));
    }

    #[test]
    fn the_table_shows_every_step_that_ran_and_every_one_that_did_not() {
        let done =
            [Done { name: "good", took: Duration::from_millis(1_250), outcome: Ok("3 things".to_owned()) }];
        let expected = "step            time  outcome\n\
                        good           1.2 s  3 things\n\
                        never              -  not run\n\
                        total          2.0 s";
        assert_eq!(table(&[GOOD, NEVER], &done, Duration::from_secs(2)), expected);
    }

    #[test]
    fn every_step_of_the_gate_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = GATE.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), GATE.len());
    }

    #[test]
    fn every_tool_names_a_step_of_the_gate() {
        for tool in setup::ALL {
            assert!(GATE.iter().any(|step| step.name == tool.step), "{} names {}", tool.name, tool.step);
        }
    }
}
