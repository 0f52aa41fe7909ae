//! Measures the connection pool under criterion. Criterion compares with earlier runs. It measures
//! one variant after the other. For ratios between variants use `cargo xtask bench pool`: there the
//! variants take turns, so that other programs disturb all of them alike.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kinfolk_benches::pool::{Load, TestBed, Variant};
use tokio::runtime::Runtime;

fn requests(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the runtime starts");
    let bed = runtime.block_on(TestBed::start()).expect("server and clients start");
    for delay_ms in [0, 5] {
        let mut group = criterion.benchmark_group(format!("request, server waits {delay_ms} ms"));
        for (variant, callers) in
            Variant::ALL.into_iter().flat_map(|v| [1, 8, 64].map(|callers| (v, callers)))
        {
            let load = Load { callers, delay_ms, bytes: 100 };
            group.bench_function(BenchmarkId::new(variant.name(), callers), |bencher| {
                let time = |count| runtime.block_on(bed.time(variant, load, count));
                bencher.iter_custom(|count| time(count).expect("every request is answered"));
            });
        }
        group.finish();
    }
    runtime.block_on(bed.close());
}

fn fresh_connections(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the runtime starts");
    let bed = runtime.block_on(TestBed::start()).expect("server and clients start");
    let fresh = runtime.block_on(async { bed.fresh() }).expect("the endpoint starts");
    criterion.bench_function("request on a fresh connection", |bencher| {
        let time = |count| runtime.block_on(fresh.time(count));
        bencher.iter_custom(|count| time(count).expect("every connection is taken"));
    });
    runtime.block_on(bed.close());
}

fn lookups(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the runtime starts");
    let bed = runtime.block_on(TestBed::start()).expect("server and clients start");
    let lookup = runtime.block_on(bed.lookup()).expect("the peers start");
    for connections in [1, 50] {
        criterion.bench_function(&format!("lookup, {connections} connections"), |bencher| {
            let time = |count| lookup.time(connections, count);
            bencher.iter_custom(|count| time(count).expect("the connections stay ready"));
        });
    }
    drop(lookup);
    runtime.block_on(bed.close());
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = requests, fresh_connections, lookups
}
criterion_main!(benches);
