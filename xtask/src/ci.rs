//! The gate: its steps, their order, and its report. What a step does is in the step's own file.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::{cargo_steps, chaos, deny, disk, layers, loom, metrics, setup, sim, tidy};

/// The word in the line of a step that left out a part of its checks.
pub(crate) const SKIPPED: &str = "SKIPPED";

/// One step. Its name is also the task that runs it alone. The text that it returns is its line in
/// the table.
struct Step {
    name: &'static str,
    run: fn() -> Result<String>,
}

/// The tools come first, because the other steps need them. Then the cheapest step comes first: it
/// finds a small mistake before a long step runs.
const GATE: &[Step] = &[
    Step { name: "setup", run: setup::setup },
    Step { name: "fmt", run: cargo_steps::fmt },
    Step { name: "layers", run: layers::check },
    Step { name: "tidy", run: tidy::check },
    Step { name: "deny", run: deny::check },
    Step { name: "clippy", run: cargo_steps::clippy },
    NEXTEST,
    DOCTEST,
    Step { name: "metrics", run: metrics::check },
    Step { name: "rustdoc", run: cargo_steps::rustdoc },
    Step { name: "loom", run: || loom::check(false) },
    Step { name: "sim", run: || sim::smoke(&[]) },
    Step { name: "experiments", run: sim::experiments },
    Step { name: "alone", run: cargo_steps::alone },
    Step { name: "chaos", run: || chaos::chaos(&["--quick".to_owned()]) },
];

const NEXTEST: Step = Step { name: "nextest", run: cargo_steps::nextest };
const DOCTEST: Step = Step { name: "doctest", run: cargo_steps::doctest };

/// Runs every step.
pub(crate) fn gate() -> Result<String> {
    run_in_order(GATE)
}

/// Runs only the steps that run tests.
pub(crate) fn tests() -> Result<String> {
    run_in_order(&[NEXTEST, DOCTEST])
}

/// The result of a step that ran.
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
        let left = disk::left();
        eprintln!("<== {} {word} in {}{}\n", step.name, seconds(took), disk::shown(left));
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
        done.push(Done { name: step.name, took, outcome: outcome.map_err(|_| "FAILED".to_owned()) });
        if let Some(failure) = failure {
            eprintln!("{}", table(steps, &done, begun.elapsed()));
            let advice = disk::advice(left);
            return Err(anyhow!(
                "step `{0}`: {failure}\nto run this step alone: cargo xtask {0}{advice}",
                step.name
            ));
        }
    }
    Ok(format!("{}\n{}", table(steps, &done, begun.elapsed()), verdict(&done)))
}

/// The last line. It names each step that skipped something, because a skipped check must not look
/// like a passed one.
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
        writeln!(text, "{:<11}{:>9}  {note}", step.name, seconds(step.took))
            .expect("writing to a String cannot fail");
    }
    for step in &steps[done.len()..] {
        writeln!(text, "{:<11}{:>9}  not run", step.name, "-").expect("writing to a String cannot fail");
    }
    write!(text, "{:<11}{:>9}", "total", seconds(total)).expect("writing to a String cannot fail");
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

    /// The error says how to run the failed step alone.
    #[test]
    fn first_failure_stops_the_gate() {
        let error = run_in_order(&[GOOD, BAD, NEVER]).unwrap_err().to_string();
        // A hint at a nearly full disk may follow.
        let expected = "step `bad`: two and two are five\nto run this step alone: cargo xtask bad";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn passed_gate_prints_its_number_of_steps() {
        assert!(run_in_order(&[GOOD, GOOD]).unwrap().ends_with("all 2 steps passed"));
    }

    #[test]
    fn skipped_step_is_named_in_the_last_line() {
        const HALF: Step = Step { name: "half", run: || Ok(format!("one part; {SKIPPED} the other")) };
        let text = run_in_order(&[GOOD, HALF]).unwrap();
        let last = text.lines().last();
        assert_eq!(last, Some("*** SKIPPED, in whole or in part: half *** nothing failed in the 2 steps"));
    }

    #[test]
    fn table_shows_steps_that_did_not_run() {
        let done =
            [Done { name: "good", took: Duration::from_millis(1_250), outcome: Ok("3 things".to_owned()) }];
        let expected = "step            time  outcome\n\
                        good           1.2 s  3 things\n\
                        never              -  not run\n\
                        total          2.0 s";
        assert_eq!(table(&[GOOD, NEVER], &done, Duration::from_secs(2)), expected);
    }

    #[test]
    fn names_of_steps_are_unique() {
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
