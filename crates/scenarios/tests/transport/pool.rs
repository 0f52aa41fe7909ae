//! Time limits of the pool over simulated QUIC, with the default settings: idle connections, dead
//! peers, restarts.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_scenarios::{World, run, until};
use kinfolk_transport::{Peer, Phase, RequestError, Transport, TransportConfig};
use tokio::time::{Instant, sleep};

use crate::peers::answer_all;

/// The default of `PoolConfig::unacknowledged_max`.
const MUTE_MAX: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(1);
/// How late a request may end. Tokio's timers fire up to 1 ms late, also under the paused clock;
/// the rest is a margin.
const TIMER_ERROR: Duration = Duration::from_millis(2);

/// Starts a node on machine `n` that answers every request.
fn answering(world: &World, n: usize, instance: usize, config: TransportConfig) -> Transport {
    let (transport, incoming) = world.bind(n, instance, config).unwrap();
    tokio::spawn(answer_all(incoming));
    transport
}

/// Starts two nodes that answer every request.
fn pair(world: &World) -> (Transport, Transport) {
    (answering(world, 0, 0, world.config(0, "a")), answering(world, 1, 0, world.config(1, "b")))
}

fn peer(of: &Transport) -> Peer {
    Peer::new(of.id().clone(), of.local_addr())
}

async fn ask(from: &Transport, to: &Peer) -> Result<Bytes, RequestError> {
    from.request(to, Bytes::from_static(b"?"), TIMEOUT).await
}

/// Default settings: the connection stays for 60 s. Both sides have closed it within 90 s.
#[test]
fn idle_connection_is_closed_between_60_and_90_s() {
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
fn idle_timeout_may_exceed_that_of_quic() {
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
fn shorter_idle_timeout_of_two_nodes_applies() {
    run(1, async |world| {
        let mut long_idle = world.config(0, "a");
        long_idle.pool.idle_timeout = Duration::from_hours(1);
        let (a, b) = (answering(&world, 0, 0, long_idle), answering(&world, 1, 0, world.config(1, "b")));
        ask(&a, &peer(&b)).await.unwrap();
        sleep(Duration::from_secs(91)).await;
        assert_eq!((a.connection_count(), b.connection_count()), (0, 0));
        assert_eq!((a.pool().stats().idle_closed, b.pool().stats().idle_closed), (0, 1));
    });
}

#[test]
fn idle_connection_to_a_dead_peer_ends_at_quics_timeout() {
    run(1, async |world| {
        let mut long_idle = world.config(0, "a");
        long_idle.pool.idle_timeout = Duration::from_hours(1);
        let (a, b) = (answering(&world, 0, 0, long_idle), answering(&world, 1, 0, world.config(1, "b")));
        ask(&a, &peer(&b)).await.unwrap();
        b.abort();
        sleep(Duration::from_secs(74)).await;
        assert_eq!(a.connection_count(), 1);
        // QUIC's time-out counts from the first check without an answer. The pool sends that check
        // 30 to 60 s after the last use.
        sleep(Duration::from_secs(62)).await;
        assert_eq!((a.connection_count(), a.pool().stats().total), (0, 0));
    });
}

#[test]
fn connection_in_occasional_use_is_kept() {
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
fn peer_that_is_mute_for_2_s_is_dialled_again() {
    run(1, async |world| {
        let (a, b) = pair(&world);
        ask(&a, &peer(&b)).await.unwrap();
        // The last acknowledgement arrives a moment after the answer.
        sleep(Duration::from_millis(100)).await;
        world.net.cut(&[World::ip(0)], &[World::ip(1)]);

        let begun = Instant::now();
        let error = ask(&a, &peer(&b)).await.unwrap_err();
        assert!(matches!(error, RequestError::Timeout { phase: Phase::Answer, .. }), "{error}");
        assert!(begun.elapsed() <= TIMEOUT + TIMER_ERROR, "{:?}", begun.elapsed());
        while a.pool().stats().unresponsive == 0 {
            ask(&a, &peer(&b)).await.unwrap_err();
        }
        // The pool varies the limit by a quarter. The last request adds up to one time-out.
        let mute = begun.elapsed();
        assert!((MUTE_MAX * 3 / 4..MUTE_MAX * 5 / 4 + TIMEOUT + TIMER_ERROR).contains(&mute), "{mute:?}");
        let error = ask(&a, &peer(&b)).await.unwrap_err();
        assert!(matches!(error, RequestError::Timeout { phase: Phase::Connecting, .. }), "{error}");

        world.net.heal();
        // A dial that began during the cut may still have to end. Until then a request fails.
        sleep(Duration::from_secs(5)).await;
        ask(&a, &peer(&b)).await.unwrap();
        let stats = a.pool().stats();
        assert_eq!((stats.unresponsive, stats.idle, stats.total), (1, 1, 1), "{stats:?}");
        // The other side too keeps at most one of the connections, once it has noticed the cut.
        sleep(Duration::from_secs(80)).await;
        assert!(b.connection_count() <= 1, "{}", b.connection_count());
    });
}

#[test]
fn short_cut_costs_no_connection() {
    run(1, async |world| {
        let (a, b) = pair(&world);
        ask(&a, &peer(&b)).await.unwrap();
        world.net.cut(&[World::ip(0)], &[World::ip(1)]);
        ask(&a, &peer(&b)).await.unwrap_err();
        world.net.heal();
        ask(&a, &peer(&b)).await.unwrap();
        let stats = a.pool().stats();
        assert_eq!((stats.dials, stats.timed_out, stats.unresponsive, stats.idle), (1, 1, 0, 1), "{stats:?}");
    });
}

#[test]
fn restarted_peer_is_reached_within_one_request_time_out() {
    run(1, async |world| {
        let a = answering(&world, 0, 0, world.config(0, "a"));
        // The certificate stays the same: the stateless reset of the old connection depends on its
        // key.
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
