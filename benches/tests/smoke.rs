//! The benchmarks run: each operation a few times, without a measurement.

use kinfolk_benches::core::cases;
use kinfolk_benches::pool::{Load, TestBed, Variant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variant_is_answered() {
    let bed = TestBed::start().await.unwrap();
    for variant in Variant::ALL {
        bed.time(variant, Load { callers: 3, delay_ms: 1, bytes: 4096 }, 7).await.unwrap();
    }
    bed.fresh().unwrap().time(3).await.unwrap();
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pool_has_ready_connections() {
    let bed = TestBed::start().await.unwrap();
    let lookup = bed.lookup().await.unwrap();
    lookup.time(1, 3).unwrap();
    lookup.time(50, 100).unwrap();
    assert!(lookup.time(7, 1).is_err(), "there is no pool of 7");
    drop(lookup);
    bed.close().await;
}

#[test]
fn every_case_of_the_pure_crates_runs() {
    for mut case in cases(&[40]) {
        case.run(2);
    }
}
