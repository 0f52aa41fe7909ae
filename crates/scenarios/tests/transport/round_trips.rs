//! Single round trips over simulated QUIC: they are those of the link, without the handshake and
//! without the delay of acknowledgements.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_scenarios::{Link, World, run};
use kinfolk_transport::{Peer, Transport};
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

/// Sends a one-way message. Nothing answers it, so the peer may delay its acknowledgement by 25 ms.
async fn tell(from: &Transport, to: &Peer) {
    from.send(to, Bytes::from_static(b"!"), LONG).await.unwrap();
    sleep(Duration::from_secs(1)).await;
}

#[test]
fn round_trips_are_those_of_the_link() {
    run(1, async |world| {
        world.net.set_links(steady(40));
        let (a, b) = (answering(&world, 0, "a"), answering(&world, 1, "b"));
        let (to_a, to_b) =
            (Peer::new(a.id().clone(), a.local_addr()), Peer::new(b.id().clone(), b.local_addr()));
        for millis in [40, 15, 90] {
            world.net.set_links(steady(millis));
            sleep(LONG).await;
            // What was measured before belongs to the former link.
            for _ in 0..3 {
                tell(&a, &to_b).await;
                tell(&b, &to_a).await;
            }
            let (of_a, of_b) = (a.take_round_trip(b.id()), b.take_round_trip(a.id()));
            // The network rounds each way up to a millisecond. A smoothed round trip would still be
            // far from the new one.
            let bounds = Duration::from_millis(2 * millis)..=Duration::from_millis(2 * millis + 4);
            for trip in [of_a, of_b] {
                assert!(trip.is_some_and(|trip| bounds.contains(&trip)), "{millis} ms: {of_a:?}, {of_b:?}");
            }
            assert_eq!((a.take_round_trip(b.id()), b.take_round_trip(a.id())), (None, None), "taken once");
        }
    });
}

#[test]
fn peer_without_connection_has_no_round_trip() {
    run(1, async |world| {
        let (a, b) = (answering(&world, 0, "a"), answering(&world, 1, "b"));
        assert_eq!(a.take_round_trip(b.id()), None);
    });
}
