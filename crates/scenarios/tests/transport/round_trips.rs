//! Single round trips over simulated QUIC: they are those of the link, without the handshake and
//! without the delay of acknowledgements, on the side that asks.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_scenarios::{Link, World, run};
use kinfolk_transport::{Peer, RequestOptions, Transport};
use tokio::time::sleep;

use crate::peers::answer_all;

const LONG: Duration = Duration::from_secs(5);

fn answering(world: &World, n: usize, name: &str) -> Transport {
    let (transport, incoming) = world.bind(n, 0, world.config(n, name)).unwrap();
    tokio::spawn(answer_all(incoming));
    transport
}

/// Each way takes exactly this long.
fn steady(millis: u64) -> Link {
    Link { delay: Duration::from_millis(millis), jitter: Duration::ZERO, ..Link::GOOD }
}

async fn ask(from: &Transport, to: &Peer) {
    let prompt = RequestOptions { prompt: true, ..RequestOptions::default() };
    from.request_with(to, Bytes::from_static(b"?"), LONG, prompt).await.unwrap();
    sleep(Duration::from_secs(1)).await;
}

#[test]
fn round_trips_are_those_of_the_link() {
    run(1, async |world| {
        let (a, b) = (answering(&world, 0, "a"), answering(&world, 1, "b"));
        let to_b = Peer::new(b.id().clone(), b.local_addr());
        for millis in [40, 15, 90] {
            world.net.set_links(steady(millis));
            for _ in 0..3 {
                ask(&a, &to_b).await;
            }
            // The network rounds each way up to a millisecond, and timers may be one late. A
            // smoothed round trip would still be far from the new one.
            let exact = Duration::from_millis(2 * millis);
            let found = a.take_round_trip(b.id());
            let bounds = exact..=exact + Duration::from_millis(4);
            assert!(found.is_some_and(|found| bounds.contains(&found)), "{millis} ms: {found:?}");
            assert_eq!(a.take_round_trip(b.id()), None, "taken once");
            assert_eq!(b.take_round_trip(a.id()), None, "it has asked nothing");
        }
    });
}

/// Its answer may have waited for others.
#[test]
fn request_that_is_not_prompt_shows_no_round_trip() {
    run(1, async |world| {
        let (a, b) = (answering(&world, 0, "a"), answering(&world, 1, "b"));
        let to_b = Peer::new(b.id().clone(), b.local_addr());
        a.request(&to_b, Bytes::from_static(b"?"), LONG).await.unwrap();
        assert_eq!(a.take_round_trip(b.id()), None);
        ask(&a, &to_b).await;
        assert!(a.take_round_trip(b.id()).is_some());
    });
}

#[test]
fn peer_without_connection_has_no_round_trip() {
    run(1, async |world| {
        let (a, b) = (answering(&world, 0, "a"), answering(&world, 1, "b"));
        assert_eq!(a.take_round_trip(b.id()), None);
    });
}
