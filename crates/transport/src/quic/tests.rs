//! Strangers that trust this cluster's CA, but whose own certificates are bad. [`NodeIdentity`]
//! refuses such certificates, so these tests bypass its checks.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use tokio::time::{sleep, timeout};

use super::Transport;
use crate::config::TransportConfig;
use crate::identity::{ClusterCa, NodeIdentity, PeerName};
use crate::peer::Peer;
use crate::pool::DialError;
use crate::request::RequestError;
use crate::stats::TransportStats;

const LONG: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_hours(24);

fn ca() -> ClusterCa {
    ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap()
}

fn bind(identity: NodeIdentity) -> Transport {
    let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
    config.handshake_timeout = Duration::from_secs(10);
    Transport::bind(config).unwrap().0
}

/// A node that trusts `ours`, with a certificate for `san` that `signer` signed.
fn stranger(ours: &ClusterCa, signer: &ClusterCa, san: &str, validity: Duration) -> Transport {
    let (cert, key) = signer.sign(san, validity).unwrap();
    let name = PeerName::new(NodeId::new("x").unwrap(), ours.cluster().clone());
    bind(NodeIdentity::unchecked(name, cert, key, ours.cert_pem().to_owned()))
}

/// Dials `b` from the stranger. `b` must refuse it and increase `counter`, and the stranger must
/// learn of the refusal.
async fn is_refused(ours: &ClusterCa, stranger: &Transport, counter: fn(&TransportStats) -> u64) {
    let b = bind(ours.issue(&NodeId::new("b").unwrap(), DAY).unwrap());
    let peer = Peer::new(b.id().clone(), b.local_addr());
    let error = stranger.request(&peer, Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Connect { cause: DialError::RefusedByPeer { .. }, .. }), "{error}");
    let both_know = async {
        while counter(&b.stats()) != 1 || stranger.stats().refused_by_peer != 1 {
            // Sleeps because there is no event for it. The time limit around it is generous.
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, both_know).await.expect("both nodes count the refusal");
    assert_eq!((stranger.pool().stats().total, b.connection_count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listener_refuses_another_ca() {
    let ours = ca();
    is_refused(&ours, &stranger(&ours, &ca(), "x.c.kinfolk", DAY), |stats| stats.refused_untrusted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listener_refuses_name_of_another_cluster() {
    let ours = ca();
    is_refused(&ours, &stranger(&ours, &ours, "x.d.kinfolk", DAY), |stats| stats.refused_name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listener_refuses_expired_certificate() {
    let ours = ca();
    let late = stranger(&ours, &ours, "x.c.kinfolk", Duration::ZERO);
    is_refused(&ours, &late, |stats| stats.refused_expired).await;
}
