//! Services on whole members: offers, conditions, checks, watches, selection, maintenance.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue should say where")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kinfolk::{
    Check, CheckOutcome, Cluster, ClusterCa, ClusterConfig, ClusterError, ClusterEvent, ClusterId, Condition,
    Health, JoinPolicy, NodeId, SelectError, Service, ServiceEvent, ServiceWatch, Tags, Weight,
};

/// Longer than any step takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// Members with these names. Each knows all others.
async fn members(names: &[&str]) -> Vec<Cluster> {
    let ca = ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap();
    let mut members: Vec<Cluster> = Vec::new();
    for name in names {
        let identity = ca.issue(&id(name), Duration::from_hours(1)).unwrap();
        let mut config = ClusterConfig::new(identity, "127.0.0.1:0".parse::<SocketAddr>().unwrap());
        config.join = JoinPolicy { first_delay: Duration::from_millis(1), ..JoinPolicy::default() };
        let member = Cluster::start(config).unwrap();
        if let Some(first) = members.first() {
            member.join(&[first.addr().to_string()]).await.unwrap();
        }
        members.push(member);
    }
    for member in &members {
        until(|| member.members().members().count() == names.len()).await;
    }
    members
}

async fn until(wanted: impl Fn() -> bool) {
    let waiting = async {
        while !wanted() {
            // Sleeps because a view has no event for every change. The deadline bounds the wait.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it did not happen in time");
}

/// Waits until all members know this many instances.
async fn all_know(members: &[Cluster], service: &str, count: usize) {
    for member in members {
        until(|| member.services(service).len() == count).await;
    }
}

async fn next(watch: &mut ServiceWatch) -> ServiceEvent {
    tokio::time::timeout(DEADLINE, watch.next()).await.expect("no event in time").unwrap()
}

fn healths(member: &Cluster, service: &str) -> Vec<Health> {
    member.services(service).iter().map(|instance| instance.health).collect()
}

#[tokio::test]
async fn offers_reach_all_members() {
    let members = members(&["a", "b", "c"]).await;
    let meta = Tags::new([("version", "17")]).unwrap();
    members[0].offer("db", Service::new(5_432).with_meta(meta)).await.unwrap();
    members[1].offer("db", Service::new(5_433).with_weight(Weight::MAX)).await.unwrap();
    for member in &members {
        until(|| member.services("db").len() == 2).await;
        let found = member.services("db");
        assert_eq!((found[0].node.as_str(), found[0].addr.port()), ("a", 5_432));
        assert_eq!(
            (found[0].service.meta.get("version"), found[1].service.weight),
            (Some("17"), Weight::MAX)
        );
        assert!(member.services("web").is_empty());
    }
    members[0].withdraw("db").await.unwrap();
    until(|| members[2].services("db").len() == 1).await;
}

#[tokio::test]
async fn changes_of_several_tasks_are_all_kept() {
    let members = members(&["a", "b"]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let member = members[0].clone();
        tasks.spawn(async move {
            match number % 2 {
                0 => member.set_tag(&format!("t{number}"), "").await,
                _ => member.offer(&format!("s{number}"), Service::new(1)).await,
            }
        });
    }
    tasks.join_all().await.into_iter().for_each(|done| done.unwrap());
    members[0].remove_tag("t0").await.unwrap();
    until(|| {
        let known = members[1].members().get(&id("a")).cloned().unwrap();
        known.tags.len() == 9 && known.services.len() == 10
    })
    .await;
}

#[tokio::test]
async fn wrong_offers_are_refused() {
    let members = members(&["a"]).await;
    let refused = members[0].offer("Not A Label", Service::new(1)).await;
    assert!(matches!(refused, Err(ClusterError::Name(_))), "{refused:?}");
    let refused = members[0].set_service_condition("db", Condition::Passing).await;
    assert!(matches!(refused, Err(ClusterError::Offer(_))), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("offers no service named db"));
    let large = Tags::new([("k", "v".repeat(5_000))]).unwrap();
    let refused = members[0].offer("db", Service::new(1).with_meta(large)).await;
    assert!(matches!(refused, Err(ClusterError::Offer(_))), "{refused:?}");
    assert!(members[0].services("db").is_empty());
}

#[tokio::test]
async fn worse_of_two_conditions_counts() {
    let members = members(&["a", "b"]).await;
    members[0].offer("db", Service::new(1)).await.unwrap();
    until(|| healths(&members[1], "db") == [Health::Passing]).await;
    members[0].set_service_condition("db", Condition::warning("slow disk")).await.unwrap();
    until(|| healths(&members[1], "db") == [Health::Warning]).await;
    members[0].set_condition(Condition::critical("no memory")).await.unwrap();
    until(|| healths(&members[1], "db") == [Health::Critical]).await;
    assert_eq!(members[1].services("db")[0].condition.note(), "no memory");
    members[0].set_condition(Condition::Passing).await.unwrap();
    until(|| healths(&members[1], "db") == [Health::Warning]).await;
}

#[tokio::test]
async fn check_sets_the_condition_of_its_service() {
    let members = members(&["a", "b"]).await;
    members[0].offer("db", Service::new(1)).await.unwrap();
    let works = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&works);
    let check = Check::with(move || {
        let works = asked.load(Ordering::Relaxed);
        std::future::ready(if works { CheckOutcome::Passing } else { CheckOutcome::Critical("down".into()) })
    });
    let check = check.every(Duration::from_millis(10)).changes_after(2, 2);
    let handle = members[0].check_service("db", check).unwrap();
    until(|| healths(&members[1], "db") == [Health::Critical]).await;
    works.store(true, Ordering::Relaxed);
    until(|| healths(&members[1], "db") == [Health::Passing]).await;
    handle.stop();
    assert!(members[0].check_service("NO", Check::tcp(([127, 0, 0, 1], 1).into())).is_err());
}

/// The second check finds nothing wrong. It must make a service passing that the first left
/// critical.
#[tokio::test]
async fn check_goes_on_from_what_the_one_before_found() {
    let members = members(&["a"]).await;
    members[0].offer("db", Service::new(1)).await.unwrap();
    let finds = |outcome: CheckOutcome| {
        let check = Check::with(move || std::future::ready(outcome.clone()));
        check.every(Duration::from_millis(10)).changes_after(1, 2)
    };
    let first = members[0].check_service("db", finds(CheckOutcome::Critical("down".into()))).unwrap();
    until(|| healths(&members[0], "db") == [Health::Critical]).await;
    first.stopped().await;
    members[0].set_service_condition("db", Condition::warning("slow")).await.unwrap();
    assert_eq!(healths(&members[0], "db"), [Health::Warning], "the first check has ended");
    members[0].check_service("db", finds(CheckOutcome::Passing)).unwrap();
    until(|| healths(&members[0], "db") == [Health::Passing]).await;
}

/// The check looks only every quarter of an hour by itself.
#[tokio::test]
async fn report_of_a_program_counts_at_once() {
    let members = members(&["a"]).await;
    members[0].offer("db", Service::new(1)).await.unwrap();
    let (check, ttl) = Check::ttl(Duration::from_hours(1));
    members[0].check_service("db", check).unwrap();
    for (outcome, health) in [
        (CheckOutcome::Warning("slow".into()), Health::Warning),
        (CheckOutcome::Critical("down".into()), Health::Critical),
        (CheckOutcome::Passing, Health::Passing),
    ] {
        ttl.report(outcome);
        until(|| healths(&members[0], "db") == [health]).await;
    }
}

#[tokio::test]
async fn tags_and_services_change_with_one_statement() {
    let members = members(&["a", "b"]).await;
    members[0].offer("old", Service::new(1)).await.unwrap();
    all_know(&members, "old", 1).await;
    let described_at = || members[0].members().get(&id("a")).unwrap().described_at;
    let before = described_at();
    let new = "new".parse::<kinfolk::ServiceName>().unwrap();
    let change = |tags: &Tags, services: &kinfolk::Services| {
        Ok((tags.with("role", "db")?, services.without("old").with(new, Service::new(2))?))
    };
    members[0].update_with(change).await.unwrap();
    let known = members[0].members().get(&id("a")).cloned().unwrap();
    assert_eq!((known.tags.get("role"), known.services.get("old")), (Some("db"), None));
    assert_eq!(described_at().get(), before.get() + 1, "one statement");
    all_know(&members, "new", 1).await;

    let refused =
        members[0].update_with(|_, _| Ok((Tags::new([("", "x")])?, kinfolk::Services::none()))).await;
    assert!(matches!(refused, Err(ClusterError::Tags(_))), "{refused:?}");
    assert_eq!(members[0].services("new").len(), 1, "a refused change changes nothing");
}

#[tokio::test]
async fn watch_gives_the_present_and_then_each_change() {
    let members = members(&["a", "b"]).await;
    members[0].offer("db", Service::new(1)).await.unwrap();
    until(|| members[1].services("db").len() == 1).await;
    let mut watch = members[1].watch_service("db");
    let ServiceEvent::Present(present) = next(&mut watch).await else { panic!("the first event") };
    assert_eq!(present.len(), 1);
    members[1].offer("db", Service::new(2)).await.unwrap();
    let ServiceEvent::Added(added) = next(&mut watch).await else { panic!("an offer") };
    assert_eq!((added.node.as_str(), added.addr.port()), ("b", 2));
    members[0].offer("db", Service::new(3)).await.unwrap();
    let ServiceEvent::Changed(changed) = next(&mut watch).await else { panic!("another port") };
    assert_eq!((changed.node.as_str(), changed.addr.port()), ("a", 3));
    members[0].withdraw("db").await.unwrap();
    assert_eq!(next(&mut watch).await, ServiceEvent::Removed(id("a")));
    members[0].offer("db", Service::new(4)).await.unwrap();
    assert!(matches!(next(&mut watch).await, ServiceEvent::Added(_)));
    members[0].shutdown().await;
    assert_eq!(next(&mut watch).await, ServiceEvent::Removed(id("a")));
    members[1].shutdown().await;
    let rest = tokio::time::timeout(DEADLINE, async { while watch.next().await.is_some() {} });
    rest.await.expect("the watch ends with the member");
}

#[tokio::test]
async fn snapshot_and_events_tell_each_change_once() {
    let members = members(&["a", "b", "c"]).await;
    let (snapshot, mut events) = members[0].subscribe_with_snapshot();
    assert_eq!(snapshot.members().count(), 3);
    members[1].set_tag("k", "v").await.unwrap();
    let event = tokio::time::timeout(DEADLINE, events.next()).await.unwrap().unwrap();
    let ClusterEvent::NodeUpdated { node } = event else { panic!("{event:?}") };
    assert_eq!((node.id.as_str(), node.tags.get("k")), ("b", Some("v")));
}

#[tokio::test]
async fn selection_spreads_calls_and_explains_itself() {
    let members = members(&["a", "b", "c"]).await;
    for member in &members[1..] {
        member.offer("db", Service::new(7)).await.unwrap();
    }
    all_know(&members, "db", 2).await;
    let db = members[0].select("db");
    let turns: BTreeSet<String> = (0..2).map(|_| db.round_robin().unwrap().node().to_string()).collect();
    assert_eq!(turns, BTreeSet::from(["b".to_owned(), "c".to_owned()]));
    // While a lease is open, the other instance has fewer calls.
    let first = db.least_loaded().unwrap();
    let second = db.least_loaded().unwrap();
    assert_ne!(first.node(), second.node());
    assert!(second.explain().contains("0 requests in flight, and 1 at the other"), "{}", second.explain());
    first.success();
    drop(second);
    let holder = db.for_key("user:1").unwrap().node().clone();
    assert_eq!(members[1].select("db").for_key("user:1").unwrap().node(), &holder);
    assert_eq!(db.replicas("user:1", 5, None).unwrap().len(), 2);
    assert_eq!(db.ring(16).fingerprint(), members[2].select("db").ring(16).fingerprint());
    assert!(db.nearest().is_ok() && db.weighted().is_ok() && db.random().is_ok());
    assert!(db.for_key_bounded("user:1", 125).is_ok());
}

#[tokio::test]
async fn filters_narrow_the_selection() {
    let members = members(&["a", "b", "c"]).await;
    let version = |version: &str| Tags::new([("version", version)]).unwrap();
    for (member, zone) in members.iter().zip(["x", "x", "y"]) {
        member.set_tag("zone", zone).await.unwrap();
        member.offer("db", Service::new(1).with_meta(version(zone))).await.unwrap();
    }
    until(|| members[0].services("db").iter().all(|instance| !instance.tags.is_empty())).await;
    until(|| members[0].services("db").len() == 3).await;
    let count = |selector: kinfolk::Selector| selector.pool().len();
    let select = || members[0].select("db");
    assert_eq!(count(select().tag("zone", "y")), 1);
    assert_eq!(count(select().meta("version", "x")), 2);
    assert_eq!(count(select().same_zone_first("zone", 2)), 2);
    assert_eq!(count(select().same_zone_first("zone", 3)), 3);
    assert_eq!(count(select().subset(2)), 2);
    assert_eq!(count(select().filter(|instance| instance.node.as_str() == "c")), 1);
    let none = select().tag("zone", "z").random().unwrap_err();
    assert_eq!(
        none,
        SelectError::NoneLeft { service: "db".to_owned(), offered: 3, matching: 0, maintenance: 0 }
    );
    assert_eq!(
        members[0].select("web").random().unwrap_err().to_string(),
        "no member offers the service web; check the name, or wait until a member offers it"
    );
}

#[tokio::test]
async fn failing_instance_is_ejected() {
    let members = members(&["a", "b", "c"]).await;
    for member in &members {
        member.offer("db", Service::new(1)).await.unwrap();
    }
    all_know(&members, "db", 3).await;
    let db = members[0].select("db");
    let mut failed = 0;
    while db.pool().len() == 3 {
        let lease = db.random().unwrap();
        if lease.node() == members[1].id() {
            failed += 1;
            lease.failure();
        } else {
            lease.success();
        }
    }
    assert_eq!(failed, 5);
    assert!((0..50).all(|_| db.random().unwrap().node() != members[1].id()));
    // Another selector of the same service knows it too.
    assert_eq!(members[0].select("db").pool().len(), 2);
    assert_eq!(members[2].select("db").pool().len(), 3, "each member has its own experience");
}

#[tokio::test]
async fn member_in_maintenance_is_not_chosen() {
    let members = members(&["a", "b"]).await;
    for member in &members {
        member.offer("db", Service::new(1)).await.unwrap();
    }
    until(|| members[0].services("db").len() == 2).await;
    let maintenance = members[1].maintenance(Duration::from_mins(1), "new kernel").await.unwrap();
    until(|| healths(&members[0], "db") == [Health::Passing, Health::Maintenance]).await;
    let db = members[0].select("db");
    assert!((0..20).all(|_| db.random().unwrap().node() == members[0].id()));
    maintenance.end().await.unwrap();
    until(|| healths(&members[0], "db") == [Health::Passing; 2]).await;
    // It ends by itself, too, and not a later condition.
    let _over = members[1].maintenance(Duration::from_secs(1), "").await.unwrap();
    until(|| healths(&members[0], "db") == [Health::Passing, Health::Maintenance]).await;
    until(|| healths(&members[0], "db") == [Health::Passing; 2]).await;
    let _over = members[1].maintenance(Duration::from_secs(1), "").await.unwrap();
    members[1].set_condition(Condition::critical("broken")).await.unwrap();
    until(|| healths(&members[0], "db") == [Health::Passing, Health::Critical]).await;
}
