//! Runs the cases of `kinfolk_benches::core` under criterion. Criterion compares with earlier runs.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use kinfolk_benches::core::{MEMBERS, cases};

fn pure_crates(criterion: &mut Criterion) {
    for mut case in cases(&MEMBERS) {
        let name = case.name().to_owned();
        criterion.bench_function(&name, |bencher| bencher.iter_custom(|count| case.run(count)));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = pure_crates
}
criterion_main!(benches);
