//! The watch rings: which member watches which. They follow from the list of members alone, so
//! every member knows them without any message. When a member is probed is decided elsewhere.
//!
//! In each of [`RINGS`] rings the members stand in the order of a hash of their name. Each member
//! watches the next one. So each member has about four watchers and four subjects at any group
//! size. The graph of who watches whom is a union of random cycles, so it is an expander: the
//! failure of a few members isolates nobody. An update that each member passes on to its neighbours
//! reaches all members in `O(log N)` hops (as in Rapid, ATC 2018, section 4.1).

use std::collections::BTreeSet;

use kinfolk_core::NodeId;

use crate::interface::config::RINGS;

/// In a group of at most this many members every member watches every other. With five members each
/// has four others, which is what the rings give at most.
pub(super) const ALL_WATCH_ALL: usize = RINGS + 1;

/// How many members may stand between a member and one that accuses it. The views of two members
/// differ by a few that have just joined or failed, so another member may hold the accuser for a
/// watcher although it is none here (`docs/decisions/0019`).
pub(super) const SLACK: usize = 3;

/// The two neighbours of this member in each ring.
#[derive(Debug)]
pub(super) struct Places {
    me: [u64; RINGS],
    next: [Option<Neighbour>; RINGS],
    previous: [Option<Neighbour>; RINGS],
}

#[derive(Debug, Clone)]
struct Neighbour {
    id: NodeId,
    /// The distance along the ring: from this member to the next one, or from the previous one to
    /// this member.
    distance: u64,
}

impl Places {
    /// The rings of a group in which `me` is alone.
    pub(super) fn new(me: &NodeId) -> Self {
        Self { me: places(me), next: Default::default(), previous: Default::default() }
    }

    /// Adds a member. Costs O(1).
    pub(super) fn insert(&mut self, id: &NodeId) {
        for (ring, place) in places(id).into_iter().enumerate() {
            keep_closer(&mut self.next[ring], id, place.wrapping_sub(self.me[ring]));
            keep_closer(&mut self.previous[ring], id, self.me[ring].wrapping_sub(place));
        }
    }

    /// Removes a member. `rest` are the members that remain, without this member. Costs O(1), or
    /// O(N) if the removed member was a neighbour.
    pub(super) fn remove<'a>(&mut self, id: &NodeId, rest: impl Iterator<Item = &'a NodeId>) {
        let take = |neighbour: &mut Option<Neighbour>| neighbour.take_if(|known| known.id == *id).is_some();
        let taken =
            |side: &mut [Option<Neighbour>; RINGS]| side.iter_mut().map(take).filter(|taken| *taken).count();
        if taken(&mut self.next) + taken(&mut self.previous) > 0 {
            rest.for_each(|id| self.insert(id));
        }
    }

    /// The subjects: the next member in each ring, each once, ordered by name.
    pub(super) fn subjects(&self) -> Vec<NodeId> {
        each_once(&self.next)
    }

    /// The watchers: the previous member in each ring, each once, ordered by name.
    pub(super) fn watchers(&self) -> Vec<NodeId> {
        each_once(&self.previous)
    }
}

/// The watchers of `subject` among `members`, ordered by name: the previous one in each ring. If
/// these are fewer than `least` members, then also those before them, until they are enough. Costs
/// O(N).
pub(super) fn watchers_of<'a>(
    subject: &NodeId,
    members: impl Iterator<Item = &'a NodeId>,
    least: usize,
) -> Vec<NodeId> {
    let all: Vec<_> = members.map(|id| (id, places(id))).collect();
    let mut ids: Vec<_> = nearest_before(subject, &all, least).into_iter().cloned().collect();
    ids.sort_unstable();
    ids
}

/// The members of `candidates` of which `me` is a watcher, if `members` are all others that watch,
/// and each has at least `least` watchers: the counterpart of [`watchers_of`]. Costs O(N) for each
/// of the few candidates that stand near enough.
pub(super) fn subjects_of<'a>(
    me: &'a NodeId,
    members: impl Iterator<Item = &'a NodeId>,
    candidates: impl Iterator<Item = &'a NodeId>,
    least: usize,
) -> Vec<NodeId> {
    let watching: Vec<_> = members.chain([me]).map(|id| (id, places(id))).collect();
    let mine = places(me);
    let after = |place: &[u64; RINGS], ring: usize| place[ring].wrapping_sub(mine[ring]);
    // A member behind the next `least` watching ones has enough watchers without `me`.
    let limits: [u64; RINGS] = std::array::from_fn(|ring| {
        let mut distances: Vec<u64> =
            watching.iter().filter(|(id, _)| *id != me).map(|(_, place)| after(place, ring)).collect();
        distances.sort_unstable();
        distances.get(least.saturating_sub(1)).copied().unwrap_or(u64::MAX)
    });
    let is_near = |id: &&NodeId| {
        let place = places(id);
        *id != me && (0..RINGS).any(|ring| after(&place, ring) <= limits[ring])
    };
    candidates
        .filter(is_near)
        .filter(|id| nearest_before(id, &watching, least).contains(me))
        .cloned()
        .collect()
}

/// The nearest of `members` before `subject` in the rings: one in each, or more, until there are
/// `least` of them.
fn nearest_before<'a>(
    subject: &NodeId,
    members: &[(&'a NodeId, [u64; RINGS])],
    least: usize,
) -> BTreeSet<&'a NodeId> {
    let place = places(subject);
    let mut rings: [Vec<(u64, &NodeId)>; RINGS] = Default::default();
    for (id, other) in members.iter().filter(|(id, _)| *id != subject) {
        for (ring, nearest) in rings.iter_mut().enumerate() {
            let one = (place[ring].wrapping_sub(other[ring]), *id);
            nearest.insert(nearest.partition_point(|known| *known < one), one);
            nearest.truncate(least.max(1));
        }
    }
    let mut found = BTreeSet::new();
    for depth in 0..least.max(1) {
        found.extend(rings.iter().filter_map(|ring| ring.get(depth)).map(|(_, id)| *id));
        if found.len() >= least {
            break;
        }
    }
    found
}

/// Whether `accuser` may watch `subject`, by this list of members: in some ring at most
/// [`SLACK`] others stand between them. Costs O(N).
pub(super) fn may_watch<'a>(
    accuser: &NodeId,
    subject: &NodeId,
    members: impl Iterator<Item = &'a NodeId>,
) -> bool {
    let (accusers, subjects) = (places(accuser), places(subject));
    let distance = |place: u64, ring: usize| subjects[ring].wrapping_sub(place);
    let mut between = [0_usize; RINGS];
    for place in members.filter(|id| *id != accuser && *id != subject).map(places) {
        for (ring, count) in between.iter_mut().enumerate() {
            *count += usize::from(distance(place[ring], ring) < distance(accusers[ring], ring));
        }
    }
    between.iter().any(|count| *count <= SLACK)
}

/// The members that may accuse `subject`, in a group of exactly these `members` in which nobody is
/// suspect, ordered by name. So tools can tell which accusations count, and whom some members
/// could remove together. Costs O(N).
///
/// # Examples
/// ```
/// use kinfolk_core::NodeId;
/// let names = (0..100).map(|n| NodeId::new(&format!("n{n}")));
/// let members: Vec<NodeId> = names.collect::<Result<_, _>>()?;
/// let entitled = kinfolk_swim::entitled_accusers(&members[0], members.iter());
/// assert!((4..=16).contains(&entitled.len()) && !entitled.contains(&members[0]));
/// # Ok::<(), kinfolk_core::NameError>(())
/// ```
pub fn entitled_accusers<'a>(subject: &NodeId, members: impl IntoIterator<Item = &'a NodeId>) -> Vec<NodeId> {
    let others: Vec<_> = members.into_iter().filter(|id| *id != subject).collect();
    let mut entitled: BTreeSet<&NodeId> = BTreeSet::new();
    if others.len() < ALL_WATCH_ALL {
        entitled.extend(others);
    } else {
        let (place, others) = (places(subject), others.into_iter().map(|id| (id, places(id))));
        let others: Vec<_> = others.collect();
        for ring in 0..RINGS {
            let mut order: Vec<_> =
                others.iter().map(|(id, other)| (place[ring].wrapping_sub(other[ring]), *id)).collect();
            order.sort_unstable();
            entitled.extend(order.into_iter().take(SLACK + 1).map(|(_, id)| id));
        }
    }
    entitled.into_iter().cloned().collect()
}

/// The number of live members that only silent members watch, without `me`. Nobody is left who
/// could tell whether they are alive. `members` are all members, each with whether it is live.
/// Costs `O(N log N)`.
pub(super) fn orphans<'a>(me: &NodeId, members: impl Iterator<Item = (&'a NodeId, bool)>) -> usize {
    let members: Vec<_> = members.map(|(id, is_live)| (places(id), is_live, id != me)).collect();
    let mut watched = vec![false; members.len()];
    for ring in 0..RINGS {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_unstable_by_key(|at| members[*at].0[ring]);
        let watchers = order.iter().cycle().skip(order.len().saturating_sub(1));
        for (watcher, subject) in watchers.zip(&order) {
            watched[*subject] |= watcher != subject && members[*watcher].1;
        }
    }
    members
        .iter()
        .zip(watched)
        .filter(|((_, is_live, other), watched)| *is_live && *other && !watched)
        .count()
}

fn each_once(side: &[Option<Neighbour>; RINGS]) -> Vec<NodeId> {
    let mut ids: Vec<_> = side.iter().flatten().map(|neighbour| neighbour.id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Keeps the nearer of two neighbours. At equal distance, which only a hash collision causes, the
/// lower name wins, so that all members choose the same one.
fn keep_closer(known: &mut Option<Neighbour>, id: &NodeId, distance: u64) {
    if known.as_ref().is_none_or(|known| (distance, id) < (known.distance, &known.id)) {
        *known = Some(Neighbour { id: id.clone(), distance });
    }
}

/// The place of a name in each ring. It is the same on every machine and in every release, because
/// all members must agree on who watches whom.
fn places(id: &NodeId) -> [u64; RINGS] {
    // FNV-1a hashes the name. The splitmix64 finalizer spreads the hash, once for each ring.
    let name = id.as_str().bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut state = name;
    std::array::from_fn(|_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn rings_of(me: &NodeId, members: &[NodeId]) -> Places {
        let mut rings = Places::new(me);
        members.iter().filter(|id| *id != me).for_each(|id| rings.insert(id));
        rings
    }

    /// Places are part of the protocol: members of other releases must compute the same ones.
    #[test]
    fn places_of_a_name_are_fixed() {
        let expected =
            [0x6401_C4A8_77E4_0BDC, 0xDB5A_A197_0039_B383, 0x20B2_5CA8_0A74_8C45, 0x0DAC_1E3D_EC3F_9F70];
        assert_eq!(places(&id(0)), expected);
    }

    #[test]
    fn both_sides_agree_on_who_watches_whom() {
        let members: Vec<_> = (0..50).map(id).collect();
        let mut watched_by: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        for me in &members {
            for subject in rings_of(me, &members).subjects() {
                watched_by.entry(subject).or_default().insert(me.clone());
            }
        }
        for me in &members {
            let believed: BTreeSet<_> = rings_of(me, &members).watchers().into_iter().collect();
            assert_eq!(watched_by[me], believed);
            assert_eq!(believed, watchers_of(me, members.iter(), 1).into_iter().collect());
        }
    }

    /// All have one to four.
    #[test]
    fn nearly_all_members_have_four_watchers() {
        let members: Vec<_> = (0..500).map(id).collect();
        let counts: Vec<_> = members.iter().map(|me| rings_of(me, &members).watchers().len()).collect();
        assert!(counts.iter().all(|count| (1..=RINGS).contains(count)));
        assert!(counts.iter().filter(|count| **count == RINGS).count() > 480);
    }

    #[test]
    fn update_reaches_a_thousand_members_in_six_hops() {
        let members: Vec<_> = (0..1_000).map(id).collect();
        let neighbours: BTreeMap<_, _> = members
            .iter()
            .map(|me| {
                let rings = rings_of(me, &members);
                (me.clone(), [rings.subjects(), rings.watchers()].concat())
            })
            .collect();
        let mut reached: BTreeSet<NodeId> = [id(0)].into();
        for _ in 0..6 {
            reached.extend(reached.clone().iter().flat_map(|at| neighbours[at].clone()));
        }
        assert_eq!(reached.len(), 1_000);
    }

    #[test]
    fn member_with_only_silent_watchers_is_an_orphan() {
        let members: Vec<_> = (0..100).map(id).collect();
        let is_live = |number: usize| number.is_multiple_of(3);
        let count = orphans(&id(200), members.iter().zip(0..).map(|(id, number)| (id, is_live(number))));
        let is_orphan = |me: &NodeId| {
            let watchers = watchers_of(me, members.iter(), 1);
            members.iter().zip(0..).all(|(id, number)| !watchers.contains(id) || !is_live(number))
        };
        let expected =
            members.iter().zip(0..).filter(|(id, number)| is_live(*number) && is_orphan(id)).count();
        assert_eq!(count, expected);
        assert!(count > 0);
        assert_eq!(orphans(&id(200), members.iter().map(|id| (id, true))), 0);
        let orphan =
            members.iter().zip(0..).find(|(id, number)| is_live(*number) && is_orphan(id)).unwrap().0;
        let others = orphans(orphan, members.iter().zip(0..).map(|(id, number)| (id, is_live(number))));
        assert_eq!(others, expected - 1, "this member knows that it is alive itself");
    }

    /// How many live members watch each suspect, if every member that `is_live` denies is suspect.
    fn watchers_of_suspects(size: usize, is_live: impl Fn(usize) -> bool, least: usize) -> Vec<usize> {
        let members: Vec<_> = (0..size).map(id).collect();
        let (live, suspects): (Vec<_>, Vec<_>) = (0..size).partition(|number| is_live(*number));
        let ids = |numbers: Vec<usize>| numbers.into_iter().map(|at| &members[at]).collect::<Vec<_>>();
        let (live, suspects) = (ids(live), ids(suspects));
        let mut watchers: BTreeMap<_, usize> = suspects.iter().map(|id| ((*id).clone(), 0)).collect();
        for me in &live {
            let others = live.iter().filter(|id| *id != me).copied();
            for suspect in subjects_of(me, others, suspects.iter().copied(), least) {
                *watchers.get_mut(&suspect).expect("only suspects are returned") += 1;
            }
        }
        watchers.into_values().collect()
    }

    #[test]
    fn suspect_has_enough_live_watchers_when_many_are_suspect() {
        for size in [6, 7, 20, 100] {
            for (least, share) in [(1, 2), (2, 2), (2, 3), (3, 2), (4, 5)] {
                let watchers = watchers_of_suspects(size, |number| number % share == 0, least);
                let live = size.div_ceil(share);
                let most = RINGS.max(least * RINGS);
                let is_enough = |count: &usize| (least.min(live)..=most).contains(count);
                assert!(watchers.iter().all(is_enough), "{size}, {share}, {least}: {watchers:?}");
            }
        }
    }

    #[test]
    fn suspect_in_a_large_group_has_four_live_watchers() {
        let watchers = watchers_of_suspects(300, |number| number % 2 == 0, 2);
        assert!(watchers.iter().all(|count| (2..=RINGS).contains(count)), "{watchers:?}");
        assert!(watchers.iter().sum::<usize>() > 3 * watchers.len(), "{watchers:?}");
    }

    #[test]
    fn subjects_and_watchers_agree_for_each_number_of_watchers() {
        for (size, least) in [(6, 1), (6, 3), (8, 2), (8, 4), (30, 4)] {
            let members: Vec<_> = (0..size).map(id).collect();
            for me in &members {
                let others = || members.iter().filter(|id| *id != me);
                let subjects = subjects_of(me, others(), others(), least);
                for subject in others() {
                    let watchers = watchers_of(subject, members.iter(), least);
                    assert!(watchers.len() >= least, "{size}, {least}: {watchers:?}");
                    assert_eq!(subjects.contains(subject), watchers.contains(me), "{size}, {least}");
                }
            }
        }
    }

    fn entitled(subject: &NodeId, members: &[NodeId]) -> BTreeSet<NodeId> {
        entitled_accusers(subject, members).into_iter().collect()
    }

    /// The order of the rings is known, so who may choose its name can choose whom it watches
    /// (docs/security.md).
    #[test]
    fn few_tries_find_a_name_that_watches_a_given_member() {
        let members: Vec<_> = (0..100).map(id).collect();
        for subject in &members[..10] {
            let tries = |is_found: &dyn Fn(&NodeId) -> bool| {
                (0..10_000)
                    .position(|number| is_found(&NodeId::new(&format!("chosen-{number}")).unwrap()))
                    .unwrap()
            };
            let with = |name: &NodeId| members.iter().chain([name]).cloned().collect::<Vec<_>>();
            assert!(
                tries(&|name| entitled(subject, &with(name)).contains(name)) < 60,
                "one of about 7 may accuse"
            );
            let watches = |name: &NodeId| watchers_of(subject, with(name).iter(), 1).contains(name);
            assert!(tries(&watches) < 250, "one of about 25 watches");
        }
    }

    #[test]
    fn few_members_of_a_large_group_may_watch_another() {
        let members: Vec<_> = (0..300).map(id).collect();
        let counts: Vec<_> = members.iter().take(50).map(|me| entitled(me, &members).len()).collect();
        let most = RINGS * (SLACK + 1);
        assert!(counts.iter().all(|count| (SLACK + 1..=most).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn entitled_accusers_are_those_that_may_watch(size in 6..60_usize, from in 0..1_000_usize) {
            let members: Vec<_> = (from..from + size).map(id).collect();
            for subject in &members {
                let may = |one: &&NodeId| *one != subject && may_watch(one, subject, members.iter());
                prop_assert_eq!(entitled(subject, &members), members.iter().filter(may).cloned().collect());
            }
        }

        #[test]
        fn real_watchers_may_watch_and_few_others(size in 2..60_usize, from in 0..1_000_usize) {
            let members: Vec<_> = (from..from + size).map(id).collect();
            let subject = &members[0];
            let entitled = entitled(subject, &members);
            let watchers: BTreeSet<_> = watchers_of(subject, members.iter(), SLACK + 1).into_iter().collect();
            prop_assert!(entitled.is_superset(&watchers), "{:?} and {:?}", entitled, watchers);
            prop_assert!(entitled.len() <= RINGS * (SLACK + 1));
        }

        /// Two members may have views that differ by so many that have just joined or failed.
        #[test]
        fn watcher_in_a_view_that_differs_a_little_may_watch(
            size in 2..60_usize,
            joined in prop::collection::btree_set(100..400_usize, 0..=SLACK),
            lost in prop::collection::btree_set(1..60_usize, 0..60),
        ) {
            let there: Vec<_> = (0..size).map(id).collect();
            let subject = &there[0];
            // Here some more are known, and some that the accuser knows are not.
            let here: Vec<_> = (0..size).chain(joined).filter(|number| !lost.contains(number)).map(id).collect();
            for watcher in watchers_of(subject, there.iter(), 1) {
                prop_assert!(may_watch(&watcher, subject, here.iter()), "{} in {:?}", watcher, here);
            }
        }

        #[test]
        fn rings_after_any_changes_equal_fresh_rings(
            steps in prop::collection::vec((any::<bool>(), 1..30_usize), 0..80),
        ) {
            let (me, mut rings, mut present) = (id(0), Places::new(&id(0)), BTreeSet::new());
            for (comes, number) in steps {
                if comes {
                    present.insert(id(number));
                    rings.insert(&id(number));
                } else {
                    present.remove(&id(number));
                    rings.remove(&id(number), present.iter());
                }
            }
            let members: Vec<_> = present.into_iter().collect();
            let fresh = rings_of(&me, &members);
            prop_assert_eq!(rings.subjects(), fresh.subjects());
            prop_assert_eq!(rings.watchers(), fresh.watchers());
        }
    }
}
