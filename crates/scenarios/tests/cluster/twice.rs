//! Every scenario is run twice from each of its seeds, and must tell the same history both times.

use kinfolk_scenarios::{World, run};

/// Far beyond what any change of a group should take to be known to all.
pub(crate) const LONG: std::time::Duration = std::time::Duration::from_mins(2);

/// Runs a scenario, which returns the history of its events.
pub(crate) fn twice(seeds: &[u64], scenario: impl AsyncFn(World) -> Vec<String>) {
    for seed in seeds {
        let first = run(*seed, &scenario);
        let second = run(*seed, &scenario);
        let differs = first.iter().zip(&second).find(|(first, second)| first != second);
        assert!(first == second, "seed {seed} gave two histories, first here: {differs:?}");
        assert!(!first.is_empty(), "something happened");
    }
}
