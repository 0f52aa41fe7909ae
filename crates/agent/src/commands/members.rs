//! `kinfolk members`: prints the group as the agent on this machine sees it.

use std::io::IsTerminal as _;
use std::time::Duration;

use kinfolk::{Health, NodeState, ServiceName};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::{json, json_lines, print, rtt};
use crate::api::views::{MemberView, MembersView, PartitionView, SuspicionView};
use crate::cli::{MembersArgs, Output, SortBy};
use crate::client::{Client, block_on, query};
use crate::exit::Failure;
use crate::render::{Cell, Paint, Tone, services as services_line, table, tags};

/// How long the members are shown before they are shown again, if no event comes.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Clears the terminal, and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// The filters of the request.
#[derive(Serialize)]
struct Filters<'a> {
    state: &'a [String],
    health: &'a [String],
    tag: &'a [String],
    service: Option<&'a str>,
    name: Option<&'a str>,
}

pub(crate) fn run(args: &MembersArgs) -> Result<(), Failure> {
    let client = Client::new(&args.connect)?;
    let filters = Filters {
        state: &args.state,
        health: &args.health,
        tag: &args.tag,
        service: args.service.as_ref().map(ServiceName::as_str),
        name: args.name.as_deref(),
    };
    let path = query("/v1/members", &filters)?;
    block_on(async {
        if args.watch {
            return watch(&client, &path, args).await;
        }
        print(&shown(client.get(&path).await?, args)?)
    })
}

/// Shows the members again at each event, until the program is stopped.
async fn watch(client: &Client, path: &str, args: &MembersArgs) -> Result<(), Failure> {
    let mut events = Some(client.events(None).await?);
    let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        print(&format!("{clear}{}", shown(client.get(path).await?, args)?))?;
        let Some(followed) = &mut events else {
            sleep(WATCH_INTERVAL).await;
            events = client.events(None).await.ok();
            continue;
        };
        if let Ok(None) = timeout(WATCH_INTERVAL, followed.next()).await {
            // The agent closed the stream. The next request says whether it still runs.
            events = None;
        }
    }
}

/// The members in the form that the arguments ask for.
fn shown(mut view: MembersView, args: &MembersArgs) -> Result<String, Failure> {
    sort(&mut view.members, args.sort);
    // Who asks for a state wants to see the members in it.
    let all = args.all || !args.state.is_empty();
    let is_filtered = !args.state.is_empty()
        || !args.health.is_empty()
        || !args.tag.is_empty()
        || args.service.is_some()
        || args.name.is_some();
    let shows = Shows { all, wide: args.output == Output::Wide, is_filtered };
    let paint = Paint::of_stdout();
    match args.output {
        _ if args.json => json(&view),
        Output::Json => json(&view),
        Output::Jsonl => json_lines(&view.members),
        Output::Table => Ok(as_table(paint, &view, shows)),
        Output::Wide => Ok(as_table(paint.uncut(), &view, shows)),
    }
}

/// What the table shows.
#[derive(Debug, Clone, Copy, Default)]
struct Shows {
    /// Failed and left members too.
    all: bool,
    /// All columns.
    wide: bool,
    /// Only the members that pass filters.
    is_filtered: bool,
}

/// Sorts the members, which come ordered by name. Equal ones keep that order.
fn sort(members: &mut [MemberView], by: SortBy) {
    match by {
        SortBy::Name => {}
        SortBy::Address => members.sort_by_key(|member| member.addr),
        SortBy::State => members.sort_by_key(|member| match member.state {
            NodeState::Suspect => 0,
            NodeState::Failed => 1,
            NodeState::Left => 2,
            NodeState::Alive => 3,
        }),
        SortBy::Health => members.sort_by_key(|member| std::cmp::Reverse(member.health)),
        SortBy::Phi => {
            members.sort_by(|one, other| other.phi.unwrap_or(-1.0).total_cmp(&one.phi.unwrap_or(-1.0)));
        }
        SortBy::Rtt => members.sort_by_key(|member| member.rtt_us.unwrap_or(u64::MAX)),
    }
}

/// The table of the members. Failed and left members are only counted, unless all are wanted.
fn as_table(paint: Paint, view: &MembersView, Shows { all, wide, is_filtered }: Shows) -> String {
    let shown = view.members.iter().filter(|member| all || member.state.is_member());
    let shown: Vec<&MemberView> = shown.collect();
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| wide || column.is_shown(&shown)).collect();
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let row = |member: &&MemberView| columns.iter().map(|column| (column.cell)(member, view)).collect();
    let rows: Vec<Vec<Cell>> = shown.iter().map(row).collect();
    let (cluster, node) = (&view.head.cluster, &view.head.node);
    let head = if is_filtered {
        let count = view.members.len();
        let match_the_filters =
            if count == 1 { "node matches the filters" } else { "nodes match the filters" };
        format!("{count} {match_the_filters} in cluster {cluster}, as {node} sees it")
    } else {
        let count = view.members.iter().filter(|member| member.state.is_member()).count();
        let members = if count == 1 { "member" } else { "members" };
        format!("{count} {members} of cluster {cluster}, as {node} sees it")
    };
    let head = paint.tone(Tone::Strong, &head);
    let partition = partition_line(view.head.partition);
    let partition = partition.map(|text| format!("{}\n", paint.tone(Tone::Bad, &text)));
    let hidden = if all { String::new() } else { hidden(&view.members) };
    format!("{head}\n{}\n{}{hidden}", partition.unwrap_or_default(), table(paint, &headings, &rows))
}

/// A column of the table.
struct Column {
    heading: &'static str,
    /// Whether the column has something to show for this member. Without such a member the table
    /// has no such column, because these columns are wide. `None` for a column that is always
    /// there.
    needed: Option<fn(&MemberView) -> bool>,
    cell: fn(&MemberView, &MembersView) -> Cell,
}

impl Column {
    const fn always(heading: &'static str, cell: fn(&MemberView, &MembersView) -> Cell) -> Self {
        Self { heading, needed: None, cell }
    }

    fn is_shown(&self, shown: &[&MemberView]) -> bool {
        self.needed.is_none_or(|needed| shown.iter().any(|member| needed(member)))
    }
}

const COLUMNS: [Column; 10] = [
    Column::always("name", |member, view| {
        Cell::new(if member.name == view.head.node { Tone::Strong } else { Tone::Plain }, &member.name)
    }),
    Column::always("address", |member, _| Cell::plain(member.addr)),
    Column::always("state", |member, _| Cell::state(member.state)),
    Column { heading: "health", needed: Some(|member| member.health != Health::Passing), cell: health },
    Column::always("incarnation", |member, _| Cell::plain(member.incarnation.get())),
    Column::always("phi", |member, _| {
        Cell::plain(member.phi.map_or_else(|| "-".to_owned(), |phi| format!("{phi:.1}")))
    }),
    Column { heading: "rtt", needed: Some(|_| false), cell: |member, _| Cell::plain(rtt(member.rtt_us)) },
    Column {
        heading: "suspicion",
        needed: Some(|member| member.suspicion.is_some()),
        cell: |member, _| Cell::plain(member.suspicion.as_ref().map_or_else(|| "-".to_owned(), suspicion)),
    },
    Column { heading: "services", needed: Some(|member| !member.services.is_empty()), cell: services },
    Column::always("tags", |member, _| Cell::plain(tags(&member.tags))),
];

/// The health, with its reason in brackets.
fn health(member: &MemberView, _: &MembersView) -> Cell {
    let tone = Tone::of_health(member.health);
    match member.note.as_str() {
        "" => Cell::new(tone, member.health),
        note => Cell::new(tone, format_args!("{} ({note})", member.health)),
    }
}

/// The services, or a dash. The colour is that of the worst.
fn services(member: &MemberView, _: &MembersView) -> Cell {
    let Some(worst) = member.services.iter().map(|service| service.health).max() else {
        return Cell::plain("-");
    };
    let tone = if worst == Health::Passing { Tone::Plain } else { Tone::of_health(worst) };
    Cell::new(tone, services_line(&member.services))
}

/// One line with the numbers of failed and left members. Empty if there are none.
fn hidden(members: &[MemberView]) -> String {
    let count = |state| members.iter().filter(|member| member.state == state).count();
    match (count(NodeState::Failed), count(NodeState::Left)) {
        (0, 0) => String::new(),
        (failed, left) => format!("\nnot shown: {failed} failed, {left} left (--all shows them)\n"),
    }
}

/// Why the agent suspects a member, and why it delays the verdict.
pub(super) fn suspicion(SuspicionView { silent_ms, suspect_ms, held }: &SuspicionView) -> String {
    let seconds = |millis: u64| format!("{}.{} s", millis / 1_000, millis % 1_000 / 100);
    let silent = silent_ms.map(|millis| format!("silent for {}", seconds(millis)));
    let suspect = suspect_ms.map(|millis| format!("suspect for {}", seconds(millis)));
    let held = held.as_ref().map(|why| format!("verdict delayed: {why}"));
    [silent, suspect, held].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The line about a partition. `None` if there is none.
fn partition_line(view: PartitionView) -> Option<String> {
    let PartitionView { live, known, partitioned, minority, read_only } = view;
    let side = match (partitioned, minority, read_only) {
        (_, _, true) => ", a minority for longer than the grace: read only",
        (_, true, false) => ", a minority",
        (true, false, false) => "",
        (false, false, false) => return None,
    };
    Some(format!("partition: {live} of {known} live{side}"))
}

#[cfg(test)]
mod tests {
    use kinfolk::{Incarnation, NodeAddr, Tags};

    use super::*;
    use crate::api::views::{MembersHead, OfferView};

    fn member(name: &str, state: NodeState, phi: Option<f64>, tags: &[(&str, &str)]) -> MemberView {
        MemberView {
            name: name.parse().unwrap(),
            addr: NodeAddr::new(([10, 0, 0, 1], 7946).into()),
            state,
            incarnation: Incarnation::new(17),
            tags: Tags::new(tags.iter().copied()).unwrap(),
            phi,
            rtt_us: None,
            coordinate: None,
            suspicion: None,
            health: Health::Passing,
            note: String::new(),
            services: Vec::new(),
        }
    }

    fn service(name: &str, port: u16, health: Health) -> OfferView {
        OfferView { name: name.parse().unwrap(), port, health, note: String::new() }
    }

    #[test]
    fn partition_line_names_the_side() {
        let line = |partitioned, minority, read_only| {
            partition_line(PartitionView { live: 2, known: 5, partitioned, minority, read_only })
        };
        assert_eq!(line(false, false, false), None);
        assert_eq!(line(true, false, false).unwrap(), "partition: 2 of 5 live");
        assert_eq!(line(true, true, false).unwrap(), "partition: 2 of 5 live, a minority");
        assert!(line(true, true, true).unwrap().ends_with("a minority for longer than the grace: read only"));
    }

    fn view(members: Vec<MemberView>) -> MembersView {
        let partition =
            PartitionView { live: 1, known: 3, partitioned: true, minority: true, read_only: false };
        let head = MembersHead { node: "a".parse().unwrap(), cluster: "prod".parse().unwrap(), partition };
        MembersView { head, members }
    }

    #[test]
    fn live_members_are_shown_and_others_counted() {
        let view = view(vec![
            member("a", NodeState::Alive, None, &[("role", "db"), ("zone", "1")]),
            member("bb", NodeState::Suspect, Some(9.26), &[]),
            member("c", NodeState::Failed, None, &[]),
            member("d", NodeState::Left, None, &[]),
            member("e", NodeState::Failed, None, &[]),
        ]);
        let live = "\
2 members of cluster prod, as a sees it
partition: 1 of 3 live, a minority

name  address        state    incarnation  phi  tags
a     10.0.0.1:7946  alive    17           -    role=db zone=1
bb    10.0.0.1:7946  suspect  17           9.3
";
        let hidden = "\nnot shown: 2 failed, 1 left (--all shows them)\n";
        let filtered = as_table(Paint::off(), &view, Shows { all: true, is_filtered: true, wide: false });
        assert!(
            filtered.starts_with("5 nodes match the filters in cluster prod, as a sees it\n"),
            "{filtered}"
        );
        assert_eq!(as_table(Paint::off(), &view, Shows::default()), format!("{live}{hidden}"));
        let others = "\
c     10.0.0.1:7946  failed   17           -
d     10.0.0.1:7946  left     17           -
e     10.0.0.1:7946  failed   17           -
";
        assert_eq!(
            as_table(Paint::off(), &view, Shows { all: true, ..Shows::default() }),
            format!("{live}{others}")
        );
    }

    #[test]
    fn delayed_verdict_is_shown_with_its_reason() {
        let mut silent = member("bb", NodeState::Alive, Some(108.0), &[("role", "db")]);
        let held = Some("no member at all answers this member".to_owned());
        silent.suspicion = Some(SuspicionView { silent_ms: Some(108_250), suspect_ms: None, held });
        let mut suspect = member("c", NodeState::Suspect, None, &[]);
        suspect.suspicion = Some(SuspicionView { silent_ms: None, suspect_ms: Some(900), held: None });
        let view = view(vec![member("a", NodeState::Alive, None, &[]), silent, suspect]);
        let table = as_table(Paint::off(), &view, Shows::default());
        let rows: Vec<&str> = table.lines().skip(3).collect();
        let expected = [
            "name  address        state    incarnation  phi    suspicion                                                                   tags",
            "a     10.0.0.1:7946  alive    17           -      -",
            "bb    10.0.0.1:7946  alive    17           108.0  silent for 108.2 s; verdict delayed: no member at all answers this member  role=db",
            "c     10.0.0.1:7946  suspect  17           -      suspect for 0.9 s",
        ];
        assert_eq!(rows[1..], expected[1..]);
        assert!(rows[0].starts_with("name") && rows[0].contains("suspicion"), "{}", rows[0]);
    }

    #[test]
    fn health_and_services_are_shown_where_needed() {
        let mut first = member("a", NodeState::Alive, None, &[]);
        first.services = vec![service("db", 5432, Health::Passing), service("web", 80, Health::Critical)];
        let mut second = member("bb", NodeState::Alive, None, &[("role", "db")]);
        (second.health, second.note) = (Health::Maintenance, "new kernel".to_owned());
        let mut third = member("c", NodeState::Alive, None, &[]);
        (third.health, third.services) = (Health::Warning, vec![service("files", 0, Health::Passing)]);
        let mut view = view(vec![first, second, third, member("d", NodeState::Left, None, &[])]);
        let expected = "\
name  address        state  health                    incarnation  phi  services                   tags
a     10.0.0.1:7946  alive  passing                   17           -    db:5432 web:80 (critical)
bb    10.0.0.1:7946  alive  maintenance (new kernel)  17           -    -                          role=db
c     10.0.0.1:7946  alive  warning                   17           -    files
";
        let table = as_table(Paint::off(), &view, Shows::default());
        assert!(table.contains(expected), "{table}");

        // A column that only a hidden member needs is not shown.
        view.members.iter_mut().for_each(|member| member.health = Health::Passing);
        view.members[3].health = Health::Critical;
        assert!(!as_table(Paint::off(), &view, Shows::default()).contains("health"));
        assert!(as_table(Paint::off(), &view, Shows { all: true, ..Shows::default() }).contains("health"));
    }

    #[test]
    fn wide_table_has_all_columns() {
        let mut with_rtt = member("b", NodeState::Alive, None, &[]);
        with_rtt.rtt_us = Some(850);
        let table = as_table(
            Paint::off(),
            &view(vec![member("a", NodeState::Alive, None, &[]), with_rtt]),
            Shows { wide: true, ..Shows::default() },
        );
        let rows: Vec<&str> = table.lines().skip(3).collect();
        assert_eq!(
            rows,
            [
                "name  address        state  health   incarnation  phi  rtt     suspicion  services  tags",
                "a     10.0.0.1:7946  alive  passing  17           -    -       -          -",
                "b     10.0.0.1:7946  alive  passing  17           -    850 us  -          -",
            ]
        );
    }

    #[test]
    fn members_are_sorted_by_the_column() {
        let names = |by| {
            let mut members = vec![
                member("a", NodeState::Alive, Some(1.0), &[]),
                member("b", NodeState::Suspect, Some(9.0), &[]),
                member("c", NodeState::Alive, None, &[]),
            ];
            members[0].rtt_us = Some(9);
            members[2].rtt_us = Some(3);
            members[2].health = Health::Critical;
            sort(&mut members, by);
            members.iter().map(|member| member.name.to_string()).collect::<String>()
        };
        let sorted = [SortBy::Name, SortBy::State, SortBy::Health, SortBy::Phi, SortBy::Rtt].map(names);
        assert_eq!(sorted, ["abc", "bac", "cab", "bac", "cab"]);
    }

    /// An agent of an earlier version sends no health and no services.
    #[test]
    fn view_without_health_is_read_as_passing() {
        let mut json = serde_json::to_value(member("a", NodeState::Alive, None, &[])).unwrap();
        assert_eq!((&json["health"], &json["services"]), (&"passing".into(), &serde_json::json!([])));
        for field in ["health", "note", "services"] {
            json.as_object_mut().unwrap().remove(field).unwrap();
        }
        let read: MemberView = serde_json::from_value(json).unwrap();
        assert_eq!(read, member("a", NodeState::Alive, None, &[]));
    }
}
