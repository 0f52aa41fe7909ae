//! The pool's own clocks over simulated QUIC, with the settings that users have: idle connections, dead peers, restarts.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_scenarios::{World, run, until};
use kinfolk_transport::{Peer, Phase, RequestError, Transport, TransportConfig};
use tokio::time::{Instant, sleep};

use crate::peers::answer_all;

/// The default of `PoolConfig::mute_max`.
const MUTE_MAX: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(1);
/// Tokio's timers fire up to a millisecond late, also under the paused clock.
const GRAIN: Duration = Duration::from_millis(2);

/// A node that answers on machine `n`.
fn answering(world: &World, n: usize, life: usize, config: TransportConfig) -> Transport {
    let (transport, incoming) = world.bind(n, life, config).unwrap();
    tokio::spawn(answer_all(incoming));
    transport
}

/// Two nodes that answer each other.
fn pair(world: &World) -> (Transport, Transport) {
    (answering(world, 0, 0, world.config(0, "a")), answering(world, 1, 0, world.config(1, "b")))
}

fn peer(of: &Transport) -> Peer {
    Peer::new(of.id().clone(), of.local_addr())
}

async fn ask(from: &Transport, to: &Peer) -> Result<Bytes, RequestError> {
    from.request(to, Bytes::from_static(b"?"), TIMEOUT).await
}

#[test]
fn an_idle_connection_stays_for_60_s_and_is_closed_on_both_sides_within_90_s() {
    run(1, async |world| {
        let (a, b) = pair(&world);
        ask(&a, &peer(&b)).await.unwrap();
        sleep(Duration::from_secs(59)).await;
        assert_eq!((a.connection_count(), b.connection_count()), (1, 1));
        sleep(Duration::from_secs(32)).await;
        assert_eq!((a.connection_count(), b.connection_count()), (0, 0));
        assert_eq!((a.pool().stats().total, b.pool().stats().total), (0, 0));
    });
}

#[test]
fn an_idle_timeout_may_exceed_that_of_quic() {
    run(1, async |world| {
        let config = |n, name| {
            let mut config = world.config(n, name);
            config.pool.idle_timeout = Duration::from_mins(10);
            assert!(config.quic_idle_timeout < config.pool.idle_timeout);
            config
        };
        let (a, b) = (answering(&world, 0, 0, config(0, "a")), answering(&world, 1, 0, config(1, "b")));
        ask(&a, &peer(&b)).await.unwrap();
        sleep(Duration::from_mins(9)).await;
        assert_eq!((a.connection_count(), b.connection_count()), (1, 1));
        ask(&a, &peer(&b)).await.unwrap();
        assert_eq!((a.pool().stats().dials, a.pool().stats().idle_closed), (1, 0));
        sleep(Duration::from_mins(11)).await;
        assert_eq!((a.connection_count(), b.connection_count()), (0, 0));
        // The pools closed it, not QUIC.
        assert_ne!(a.pool().stats().idle_closed + b.pool().stats().idle_closed, 0);
    });
}

#[test]
fn the_shorter_idle_timeout_of_two_nodes_holds() {
    run(1, async |world| {
        let mut patient = world.config(0, "a");
        patient.pool.idle_timeout = Duration::from_hours(1);
        let (a, b) = (answering(&world, 0, 0, patient), answering(&world, 1, 0, world.config(1, "b")));
        ask(&a, &peer(&b)).await.unwrap();
        sleep(Duration::from_secs(91)).await;
        assert_eq!((a.connection_count(), b.connection_count()), (0, 0));
        assert_eq!((a.pool().stats().idle_closed, b.pool().stats().idle_closed), (0, 1));
    });
}

#[test]
fn an_idle_connection_to_a_dead_peer_ends_at_quics_idle_timeout() {
    run(1, async |world| {
        let mut patient = world.config(0, "a");
        patient.pool.idle_timeout = Duration::from_hours(1);
        let (a, b) = (answering(&world, 0, 0, patient), answering(&world, 1, 0, world.config(1, "b")));
        ask(&a, &peer(&b)).await.unwrap();
        b.abort();
        sleep(Duration::from_secs(74)).await;
        assert_eq!(a.connection_count(), 1);
        // QUIC's time-out counts from the first check without an answer, which the pool sends 30 to 60 s
        // after the last use.
        sleep(Duration::from_secs(62)).await;
        assert_eq!((a.connection_count(), a.pool().stats().total), (0, 0));
    });
}

#[test]
fn a_connection_that_is_used_now_and_then_is_kept() {
    run(1, async |world| {
        let (a, b) = pair(&world);
        for _ in 0..10 {
            ask(&a, &peer(&b)).await.unwrap();
            sleep(Duration::from_secs(55)).await;
        }
        assert_eq!(a.pool().stats().dials, 1);
    });
}

#[test]
fn a_peer_that_is_mute_for_two_seconds_is_dialled_afresh() {
    run(1, async |world| {
        let (a, b) = pair(&world);
        ask(&a, &peer(&b)).await.unwrap();
        // The last acknowledgement comes a moment later.
        sleep(Duration::from_millis(100)).await;
        world.net.cut(&[World::ip(0)], &[World::ip(1)]);

        let begun = Instant::now();
        let error = ask(&a, &peer(&b)).await.unwrap_err();
        assert!(matches!(error, RequestError::Timeout { phase: Phase::Answer, .. }), "{error}");
        assert!(begun.elapsed() <= TIMEOUT + GRAIN, "{:?}", begun.elapsed());
        while a.pool().stats().doubtful == 0 {
            ask(&a, &peer(&b)).await.unwrap_err();
        }
        // Give or take a quarter, and up to one time-out more.
        let mute = begun.elapsed();
        assert!((MUTE_MAX * 3 / 4..MUTE_MAX * 5 / 4 + TIMEOUT + GRAIN).contains(&mute), "{mute:?}");
        let error = ask(&a, &peer(&b)).await.unwrap_err();
        assert!(matches!(error, RequestError::Timeout { phase: Phase::Connecting, .. }), "{error}");

        world.net.mend();
        // What was being dialled into the cut may still have to end; a caller is told so, and asks again.
        sleep(Duration::from_secs(5)).await;
        ask(&a, &peer(&b)).await.unwrap();
        let stats = a.pool().stats();
        assert_eq!((stats.doubtful, stats.idle, stats.total), (1, 1, 1), "{stats:?}");
        // The other side keeps no more of them than it needs either, once it has noticed.
        sleep(Duration::from_secs(80)).await;
        assert!(b.connection_count() <= 1, "{}", b.connection_count());
    });
}

#[test]
fn a_cut_that_is_shorter_costs_no_connection() {
    run(1, async |world| {
        let (a, b) = pair(&world);
        ask(&a, &peer(&b)).await.unwrap();
        world.net.cut(&[World::ip(0)], &[World::ip(1)]);
        ask(&a, &peer(&b)).await.unwrap_err();
        world.net.mend();
        ask(&a, &peer(&b)).await.unwrap();
        let stats = a.pool().stats();
        assert_eq!((stats.dials, stats.timed_out, stats.doubtful, stats.idle), (1, 1, 0, 1), "{stats:?}");
    });
}

#[test]
fn a_peer_that_restarted_on_its_address_is_reached_again_within_one_request_time_out() {
    run(1, async |world| {
        let a = answering(&world, 0, 0, world.config(0, "a"));
        // The certificate stays the same, as its key is what a reset is known by.
        let config = world.config(1, "b");
        let b = answering(&world, 1, 0, config.clone());
        let b_peer = peer(&b);
        ask(&a, &b_peer).await.unwrap();

        b.abort();
        assert!(until(TIMEOUT, || world.net.sockets_of(World::ip(1)) == 0).await);
        let _again = answering(&world, 1, 1, config);
        let begun = Instant::now();
        while let Err(error) = ask(&a, &b_peer).await {
            assert!(begun.elapsed() < TIMEOUT, "{error}");
        }
        assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
        assert_eq!(a.pool().stats().dials, 2);
    });
}
