//! Certificates and authorities are replaced in a running cluster, and certificates end.

use std::time::Duration;

use bytes::Bytes;
use kinfolk::{
    ClusterCa, ClusterEvent, ClusterId, NodeIdentity, NodeState, ROTATION_ENDS_WITHIN, TrustBundle,
};
use kinfolk_scenarios::{Fleet, run, until};
use kinfolk_transport::WallClock;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::twice::LONG;

const DAY: Duration = Duration::from_hours(24);
const ALL: [usize; 5] = [0, 1, 2, 3, 4];

/// Each member serves `echo`, and talks to its successor: over one stream that stays open, and over
/// a new one every 300 ms. Each byte must come back, or the task panics.
fn talk(fleet: &Fleet, tasks: &mut JoinSet<()>) {
    for n in ALL {
        let (member, next) = (fleet.member(n).clone(), fleet.id((n + 1) % ALL.len()));
        let mut listener = member.accept("echo").expect("nobody else serves it");
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Some((_, mut stream)) = listener.accept().await {
                served.spawn(async move {
                    while let Ok(Some(piece)) = stream.receive().await {
                        stream.send(piece).await.expect("the peer reads");
                    }
                    let _closed = stream.finish();
                });
            }
        });
        let other = (member.clone(), next.clone());
        tasks.spawn(async move {
            let mut stream = member.open_stream(&next, "echo").await.expect("the peer serves it");
            loop {
                stream.send(Bytes::from_static(b"long")).await.expect("the stream goes on");
                assert_eq!(stream.receive().await.expect("the stream goes on").expect("an echo"), "long");
                sleep(Duration::from_millis(100)).await;
            }
        });
        tasks.spawn(async move {
            let (member, next) = other;
            loop {
                let mut stream = member.open_stream(&next, "echo").await.expect("the peer serves it");
                stream.send(Bytes::from_static(b"short")).await.expect("the stream is open");
                stream.finish().expect("it is not finished");
                assert_eq!(stream.receive().await.expect("an answer").expect("an echo"), "short");
                sleep(Duration::from_millis(300)).await;
            }
        });
    }
}

/// Waits until all members have a statement with the present certificate of each, and until the
/// connections of before are replaced.
async fn spread(fleet: &Fleet, tasks: &mut JoinSet<()>) {
    let known = || {
        ALL.iter().all(|of| {
            let certificate = fleet.member(*of).identity().certificate().fingerprint();
            let has = |by: &usize| {
                let view = fleet.member(*by).members();
                view.get(&fleet.id(*of)).is_some_and(|known| known.proof.certificate == certificate)
            };
            ALL.iter().all(has)
        })
    };
    assert!(until(LONG, known).await, "all know the new certificates");
    fleet.pass(ROTATION_ENDS_WITHIN).await;
    if let Some(ended) = tasks.try_join_next() {
        panic!("a stream failed: {ended:?}");
    }
}

#[test]
fn certificates_and_then_the_authority_are_replaced_under_streams() {
    run(1, async |world| {
        let new = ClusterCa::create(&ClusterId::new("scenario").unwrap()).unwrap();
        let fleet = Fleet::formed(world, ALL.len()).await;
        let mut tasks = JoinSet::new();
        talk(&fleet, &mut tasks);
        fleet.pass(Duration::from_secs(2)).await;

        // Each certificate, at the same moment.
        for n in ALL {
            fleet.member(n).rotate(fleet.world.identity(fleet.id(n).as_str())).await.unwrap();
        }
        spread(&fleet, &mut tasks).await;

        // The authority, in three steps: trust both, issue again, trust the new one alone.
        let both = format!("{}{}", fleet.world.ca().cert_pem(), new.cert_pem());
        for n in ALL {
            fleet.member(n).trust(&TrustBundle::from_pem(&both).unwrap()).await.unwrap();
        }
        spread(&fleet, &mut tasks).await;
        for n in ALL {
            let issued = new.issue(&fleet.id(n), DAY).unwrap();
            let identity = NodeIdentity::from_pem(issued.cert_pem(), issued.key_pem(), &both).unwrap();
            fleet.member(n).rotate(identity).await.unwrap();
        }
        spread(&fleet, &mut tasks).await;
        for n in ALL {
            fleet.member(n).trust(&TrustBundle::from_pem(new.cert_pem()).unwrap()).await.unwrap();
        }
        spread(&fleet, &mut tasks).await;

        assert!(fleet.is_settled(&ALL));
        let suspected = |event: &ClusterEvent| {
            matches!(event, ClusterEvent::NodeSuspected { .. } | ClusterEvent::NodeFailed { .. })
        };
        let entries = fleet.history.entries();
        assert!(!entries.iter().any(|entry| suspected(&entry.event)), "{:#?}", fleet.history.lines());
        for n in ALL {
            let stats = fleet.member(n).stats();
            assert_eq!(stats.transport.rotations, 4);
            assert!(stats.transport.rotated_connections > 0);
            assert_eq!(stats.gossip.forged, 0);
        }
        // A member with a certificate of the old authority does not get in.
        tasks.shutdown().await;
        fleet.end().await
    });
}

/// A clock for certificates that starts with the system's and goes on with the virtual time.
fn virtual_clock() -> WallClock {
    let (begin, origin) = (WallClock::system().since_epoch(), Instant::now());
    WallClock::of(move || begin + origin.elapsed())
}

#[test]
fn expired_member_is_announced_cut_off_and_healed_by_a_renewal() {
    run(1, async |world| {
        let mut fleet = Fleet::new(world, 4);
        let clock = virtual_clock();
        for n in 0..4 {
            fleet.config(n).certificate_clock = clock.clone();
        }
        let short = fleet.world.ca().issue(&fleet.id(2), Duration::from_mins(10)).unwrap();
        fleet.config(2).identity = short;
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        assert!(fleet.member(2).stats().certificate.expires_in_secs > 500);
        fleet.pass(Duration::from_secs(580)).await;
        fleet.settle(LONG).await;
        let of_certificate = |fleet: &Fleet| -> Vec<(String, u64)> {
            let said = |entry: &kinfolk_scenarios::Entry| match &entry.event {
                ClusterEvent::CertificateExpires { left, .. } => {
                    Some((entry.by.to_string(), left.as_secs().next_multiple_of(10)))
                }
                ClusterEvent::CertificateExpired { .. } => Some((entry.by.to_string(), 0)),
                _ => None,
            };
            fleet.history.entries().iter().filter_map(said).collect()
        };
        // A third, a tenth, and a thirtieth of 15 minutes: the validity starts in the past.
        let warned: Vec<(String, u64)> = [300, 90, 30].map(|left| ("n2".to_owned(), left)).into();
        assert_eq!(of_certificate(&fleet), warned);

        // It ends. The others take it out, and each side counts the refusals that it has logged.
        fleet.pass(Duration::from_mins(3)).await;
        let id = fleet.id(2);
        for n in [0, 1, 3] {
            let view = fleet.member(n).members();
            assert!(view.get(&id).is_none_or(|known| known.state == NodeState::Failed), "n{n} keeps it");
            assert!(fleet.member(n).stats().transport.refused_expired > 0, "n{n} refuses it");
        }
        assert!(fleet.member(2).stats().transport.refused_by_peer > 0);
        assert!(fleet.member(2).stats().certificate.expires_in_secs < 0);
        fleet.pass(Duration::from_mins(65)).await;
        let expired = of_certificate(&fleet).iter().filter(|(by, left)| by == "n2" && *left == 0).count();
        assert_eq!(expired, 2, "one error an hour: {:?}", of_certificate(&fleet));

        let begin = Instant::now();
        fleet.member(2).rotate(fleet.world.identity("n2")).await.unwrap();
        fleet.settle(LONG).await;
        assert!(begin.elapsed() < Duration::from_secs(10), "it took {:?}", begin.elapsed());
        fleet.end().await
    });
}

#[test]
fn identity_of_another_member_changes_nothing() {
    run(1, async |world| {
        let fleet = Fleet::formed(world, 2).await;
        let before = fleet.member(0).identity().certificate().fingerprint();
        let error = fleet.member(0).rotate(fleet.world.identity("n1")).await.unwrap_err();
        assert!(error.to_string().contains("this node is n0.scenario.kinfolk"), "{error}");
        let stranger = ClusterCa::create(&ClusterId::new("scenario").unwrap()).unwrap();
        let trusted = TrustBundle::from_pem(stranger.cert_pem()).unwrap();
        let error = fleet.member(0).trust(&trusted).await.unwrap_err();
        assert!(error.to_string().contains("is not signed by this CA"), "{error}");
        assert_eq!(fleet.member(0).identity().certificate().fingerprint(), before);
        assert_eq!(fleet.member(0).stats().transport.rotations, 0);
        fleet.end().await
    });
}
