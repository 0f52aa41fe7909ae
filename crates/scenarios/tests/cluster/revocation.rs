//! A revoked member is out of all views, and stays out.

use std::time::Duration;

use kinfolk::{ClusterCa, ClusterEvent, ClusterId, NodeIdentity, ROTATION_ENDS_WITHIN, Revoker, TrustBundle};
use kinfolk_core::signed::{Covered, Serial};
use kinfolk_scenarios::{Fleet, World, run, until};
use tokio::task::JoinSet;

use crate::twice::LONG;

const TWO_SECONDS: Duration = Duration::from_secs(2);

fn revoker(fleet: &Fleet) -> Revoker {
    let ca = fleet.world.ca();
    Revoker::from_pem(ca.cert_pem(), &ca.key_pem(), None).expect("the CA fits its key")
}

/// Whether none of these members has `gone` in its view, not even as a tombstone, or a connection
/// to it.
fn is_out(fleet: &Fleet, gone: usize, of: &[usize]) -> bool {
    let id = fleet.id(gone);
    let knows = |n: &usize| {
        let member = fleet.member(*n);
        member.members().get(&id).is_some()
            || member.stats().pool.connections.iter().any(|conn| conn.peer == id)
    };
    !of.iter().any(knows)
}

#[test]
fn revoked_member_is_out_of_32_views_within_two_seconds() {
    run(1, async |world| {
        let fleet = Fleet::formed(world, 32).await;
        let others: Vec<usize> = (0..32).filter(|n| *n != 7).collect();
        let statement = revoker(&fleet).revoke(&fleet.id(7), None, None);
        fleet.member(20).revoke(&statement).await.unwrap();
        assert!(until(TWO_SECONDS, || is_out(&fleet, 7, &others)).await, "{:#?}", fleet.history.lines());
        // It cannot connect to anybody, whatever it tries, and nothing brings it back.
        let revoked = fleet.member(7).clone();
        let joined = revoked.join(&[World::addr(3).to_string()]).await;
        assert!(joined.is_err(), "{joined:?}");
        fleet.pass(Duration::from_mins(2)).await;
        assert!(is_out(&fleet, 7, &others) && fleet.is_settled(&others));
        for n in &others {
            let stats = fleet.member(*n).stats();
            assert_eq!(stats.gossip.swim.revocations_kept, 1, "n{n}");
            assert_eq!(stats.gossip.forged, 0, "n{n}");
        }
        let told =
            |event: &ClusterEvent| matches!(event, ClusterEvent::MemberRevoked { id } if *id == fleet.id(7));
        let tellers = fleet.history.entries().iter().filter(|entry| told(&entry.event)).count();
        assert!(tellers >= 31, "{tellers} members reported it");
        // No other member was suspected for it.
        let failures = fleet.history.failures();
        assert!(failures.iter().all(|(by, of)| *of == fleet.id(7) || *by == fleet.id(7)), "{failures:?}");
    });
}

#[test]
fn revocation_survives_a_restart_of_all() {
    run(2, async |world| {
        let mut fleet = Fleet::new(world, 5);
        fleet.keep_state();
        let all = [0, 1, 2, 3, 4];
        fleet.start_all(&all).await;
        fleet.settle(LONG).await;
        fleet.pass(Duration::from_secs(6)).await;
        let statement = revoker(&fleet).revoke(&fleet.id(1), None, None);
        fleet.member(0).revoke(&statement).await.unwrap();
        let others = [0, 2, 3, 4];
        assert!(until(TWO_SECONDS, || is_out(&fleet, 1, &others)).await);
        fleet.pass(Duration::from_secs(1)).await;
        fleet.crash(&all).await;
        for n in all {
            fleet.start(n);
        }
        let settled = || fleet.is_settled(&others) && is_out(&fleet, 1, &others);
        assert!(until(LONG, settled).await, "{:#?}", fleet.history.lines());
        fleet.pass(Duration::from_mins(1)).await;
        assert!(is_out(&fleet, 1, &others));
    });
}

#[test]
fn member_revoked_during_a_partition_stays_out_after_it() {
    // A long cut, after which the sides know each other as failed, and a short one.
    for cut in [Duration::from_mins(2), Duration::from_secs(3)] {
        run(3, async |world| {
            let fleet = Fleet::formed(world, 6).await;
            let (left, right) = ([0, 1, 2], [3, 4, 5]);
            fleet.world.net.cut(&left.map(World::ip), &right.map(World::ip));
            let statement = revoker(&fleet).revoke(&fleet.id(5), None, None);
            fleet.member(0).revoke(&statement).await.unwrap();
            fleet.pass(cut).await;
            assert!(is_out(&fleet, 5, &left));
            assert!(fleet.member(3).members().get(&fleet.id(5)).is_some(), "the other side does not know it");
            fleet.world.net.heal();
            let others = [0, 1, 2, 3, 4];
            let settled = || fleet.is_settled(&others) && is_out(&fleet, 5, &others);
            assert!(until(LONG, settled).await, "cut {cut:?}: {:#?}", fleet.history.lines());
        });
    }
}

#[test]
fn member_that_joins_later_learns_of_it() {
    run(4, async |world| {
        let mut fleet = Fleet::new(world, 4);
        fleet.start_all(&[0, 1, 2]).await;
        fleet.settle(LONG).await;
        let statement = revoker(&fleet).revoke(&fleet.id(2), None, None);
        fleet.member(0).revoke(&statement).await.unwrap();
        assert!(until(TWO_SECONDS, || is_out(&fleet, 2, &[0, 1])).await);
        fleet.start_all(&[3]).await;
        let knows = || fleet.member(3).stats().gossip.swim.revocations_kept == 1;
        assert!(until(LONG, knows).await);
        // The revoked member tries to get in through the new one.
        let joined = fleet.member(2).join(&[World::addr(3).to_string()]).await;
        assert!(joined.is_err(), "{joined:?}");
        assert!(is_out(&fleet, 2, &[0, 1, 3]));
    });
}

/// A member without a state directory has forgotten the revocation. The revoked member tries to get
/// in through it all the time. The member that takes it in sends the revocations first, so they are
/// there when the join ends.
#[test]
fn restarted_member_has_the_revocations_when_its_join_ends() {
    for seed in 0..4 {
        run(seed, async |world| {
            let mut fleet = Fleet::new(world, 4);
            fleet.config(2).join.attempts = Some(1);
            fleet.start_all(&[0, 1, 2, 3]).await;
            fleet.settle(LONG).await;
            let others = [0, 1, 3];
            let statement = revoker(&fleet).revoke(&fleet.id(2), None, None);
            fleet.member(0).revoke(&statement).await.unwrap();
            assert!(until(TWO_SECONDS, || is_out(&fleet, 2, &others)).await);
            let mut intruding = JoinSet::new();
            for _ in 0..5 {
                let revoked = fleet.member(2).clone();
                intruding.spawn(async move {
                    loop {
                        let _refused = revoked.join(&[World::addr(1).to_string()]).await;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
                fleet.pass(Duration::from_millis(20)).await;
            }
            fleet.crash(&[1]).await;
            fleet.start_all(&[1]).await;
            assert_eq!(fleet.member(1).stats().gossip.swim.revocations_kept, 1, "seed {seed}");
            assert!(until(TWO_SECONDS, || is_out(&fleet, 2, &others)).await, "seed {seed}");
            intruding.shutdown().await;
            fleet.pass(Duration::from_secs(10)).await;
            assert!(is_out(&fleet, 2, &others) && fleet.is_settled(&others), "seed {seed}");
        });
    }
}

/// The others have kept the revocation, and go on with it. A member that starts later cannot verify
/// it: an operator revokes again with the new authority.
#[test]
fn revocation_of_a_dropped_authority_counts_where_it_is_known() {
    run(7, async |world| {
        let new = ClusterCa::create(&ClusterId::new("scenario").unwrap()).unwrap();
        let mut fleet = Fleet::formed(world, 4).await;
        let (all, others) = ([0, 1, 2, 3], [0, 1, 2]);
        let both = format!("{}{}", fleet.world.ca().cert_pem(), new.cert_pem());
        for n in all {
            fleet.member(n).trust(&TrustBundle::from_pem(&both).unwrap()).await.unwrap();
        }
        for n in all {
            let issued = new.issue(&fleet.id(n), Duration::from_hours(24)).unwrap();
            let identity = NodeIdentity::from_pem(issued.cert_pem(), issued.key_pem(), &both).unwrap();
            fleet.member(n).rotate(identity).await.unwrap();
        }
        fleet.settle(LONG).await;
        fleet.pass(ROTATION_ENDS_WITHIN).await;
        // By the old authority, of a certificate of the new one.
        let statement = revoker(&fleet).revoke(&fleet.id(3), None, None);
        fleet.member(0).revoke(&statement).await.unwrap();
        assert!(until(TWO_SECONDS, || is_out(&fleet, 3, &others)).await);
        for n in others {
            fleet.member(n).trust(&TrustBundle::from_pem(new.cert_pem()).unwrap()).await.unwrap();
        }
        fleet.pass(Duration::from_mins(1)).await;
        assert!(fleet.is_settled(&others) && is_out(&fleet, 3, &others));
        let refused = fleet.member(1).revoke(&statement).await.unwrap_err().to_string();
        assert!(refused.contains("not signed by an authority of this cluster"), "{refused}");

        // It gets the statement from the others, which is no forgery of theirs.
        fleet.crash(&[1]).await;
        fleet.config(1).identity = new.issue(&fleet.id(1), Duration::from_hours(24)).unwrap();
        fleet.start_all(&[1]).await;
        fleet.pass(Duration::from_mins(1)).await;
        assert_eq!(fleet.member(1).stats().gossip.swim.revocations_kept, 0);
        assert_eq!(fleet.member(1).stats().gossip.forged, 0);
        let again = Revoker::from_pem(new.cert_pem(), &new.key_pem(), None).unwrap();
        fleet.member(2).revoke(&again.revoke(&fleet.id(3), None, None)).await.unwrap();
        let knows = || fleet.member(1).stats().gossip.swim.revocations_kept == 1;
        assert!(until(TWO_SECONDS, knows).await);
        assert!(until(LONG, || fleet.is_settled(&others) && is_out(&fleet, 3, &others)).await);
    });
}

#[test]
fn member_comes_back_with_a_new_certificate() {
    run(5, async |world| {
        let fleet = Fleet::formed(world, 3).await;
        let stolen = fleet.member(1).identity().certificate();
        let serial = Covered::Serial(Serial::new(stolen.serial()).unwrap());
        let statement = revoker(&fleet).revoke(&fleet.id(1), Some(serial), Some(stolen.validity().1));
        fleet.member(2).revoke(&statement).await.unwrap();
        assert!(until(TWO_SECONDS, || is_out(&fleet, 1, &[0, 2])).await);
        fleet.member(1).rotate(fleet.world.identity("n1")).await.unwrap();
        fleet.settle(LONG).await;
        // The stolen key is still of no use.
        assert_eq!(fleet.member(0).stats().gossip.swim.revocations_kept, 1);
    });
}

#[test]
fn statement_without_the_authority_changes_nothing() {
    run(6, async |world| {
        let fleet = Fleet::formed(world, 3).await;
        let of = |cluster: &str| {
            let ca = ClusterCa::create(&ClusterId::new(cluster).unwrap()).unwrap();
            Revoker::from_pem(ca.cert_pem(), &ca.key_pem(), None).unwrap().revoke(&fleet.id(1), None, None)
        };
        let good = revoker(&fleet).revoke(&fleet.id(1), None, None);
        let mut lines: Vec<&str> = good.lines().collect();
        lines.swap(1, 2);
        let cases = [
            (of("scenario"), "not signed by an authority of this cluster"),
            (of("other"), "is for cluster other"),
            (lines.join("\n"), ""),
            (good[..good.len() / 2].to_owned(), "cannot read the revocation"),
            (fleet.world.ca().cert_pem().to_owned(), "it is a CERTIFICATE"),
            (String::new(), "cannot read the revocation"),
        ];
        for (text, cause) in cases {
            let error = fleet.member(0).revoke(&text).await.unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
        let ended = revoker(&fleet).revoke(&fleet.id(1), None, Some(1_000));
        let error = fleet.member(0).revoke(&ended).await.unwrap_err().to_string();
        assert!(error.contains("certificates that ended 1000 s after 1970"), "{error}");
        fleet.pass(Duration::from_secs(5)).await;
        assert!(fleet.is_settled(&[0, 1, 2]));
        assert_eq!(fleet.member(2).stats().gossip.swim.revocations_kept, 0);
    });
}
