//! The benchmarks still run: every operation once, nothing measured.

use kinfolk_benches::core::cases;
use kinfolk_benches::pool::{Bed, Load, Variant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variant_is_answered_and_so_is_a_fresh_connection_each_time() {
    let bed = Bed::start().await.unwrap();
    for variant in Variant::ALL {
        bed.time(variant, Load { callers: 3, delay_ms: 1, bytes: 4096 }, 7).await.unwrap();
    }
    bed.fresh().unwrap().time(3).await.unwrap();
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pool_hands_out_its_connections_at_once() {
    let bed = Bed::start().await.unwrap();
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
