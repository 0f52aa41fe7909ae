//! Many runs at a time, on all cores. Runs are independent, so running them in parallel changes no
//! result.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Calls `run` for each of the `jobs`, on as many threads as there are cores. Returns the results
/// in the order of the jobs. A free core takes the next job, so slow jobs do not leave the other
/// cores idle.
///
/// # Panics
/// When a run panics, with its panic.
pub fn side_by_side<J: Sync, R: Send>(jobs: &[J], run: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(jobs.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        // Each job is taken once. The counter passes on no other data between threads, so it needs
        // no ordering.
        while let Some((at, job)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            jobs.get(at).map(|job| (at, job))
        } {
            done.push((at, run(job)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let of = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads.into_iter().flat_map(of).collect()
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_runs_once_and_results_keep_order() {
        let jobs: Vec<u32> = (0..100).collect();
        assert_eq!(side_by_side(&jobs, |job| job * 2), jobs.iter().map(|job| job * 2).collect::<Vec<_>>());
        assert_eq!(side_by_side(&[0_u32; 0], |job| *job), [0_u32; 0]);
    }
}
