//! Runs every scenario twice from each of its seeds. Both runs must give the same history.

use kinfolk_scenarios::{World, run};

/// A time limit far above what any change of a group takes to reach all members.
pub(crate) const LONG: std::time::Duration = std::time::Duration::from_mins(2);

/// Runs a scenario twice from each seed. The scenario returns the history of its events.
pub(crate) fn twice(seeds: &[u64], scenario: impl AsyncFn(World) -> Vec<String>) {
    for seed in seeds {
        let first = run(*seed, &scenario);
        let second = run(*seed, &scenario);
        let differs = first.iter().zip(&second).find(|(first, second)| first != second);
        assert!(first == second, "seed {seed} gave two histories; the first difference: {differs:?}");
        assert!(!first.is_empty(), "something happened");
    }
}
