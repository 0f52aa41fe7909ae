//! `kinfolk members`: the group as the agent on this machine sees it.

use std::io::Write as _;

use kinfolk::Tags;

use crate::cli::MembersArgs;
use crate::control::{self, Answer, MembersView, PartitionView, Question};
use crate::exit::{Failure, Status};
use crate::render::{Cell, Paint, Tone, table};

pub(crate) fn run(args: &MembersArgs) -> Result<(), Failure> {
    let path = args.socket.clone().unwrap_or_else(control::default_path);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Status::Failed, error))?;
    let Answer::Members(view) = runtime.block_on(control::ask(&path, &Question::Members))? else {
        return Err(Failure::new(Status::Socket, "the agent answered another question than the one asked"));
    };
    let text = if args.json {
        let json = serde_json::to_string(&view).map_err(|error| Failure::new(Status::Failed, error))?;
        format!("{json}\n")
    } else {
        as_table(Paint::of_stdout(), &view)
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

fn as_table(paint: Paint, view: &MembersView) -> String {
    let rows: Vec<Vec<Cell>> = view
        .members
        .iter()
        .map(|member| {
            let is_me = member.name == view.node;
            let phi = member.phi.map_or_else(|| "-".to_owned(), |phi| format!("{phi:.1}"));
            vec![
                Cell::new(if is_me { Tone::Strong } else { Tone::Plain }, &member.name),
                Cell::plain(member.addr),
                Cell::state(member.state),
                Cell::plain(member.incarnation.get()),
                Cell::plain(phi),
                Cell::plain(tags(&member.tags)),
            ]
        })
        .collect();
    let count = view.members.iter().filter(|member| member.state.is_member()).count();
    let members = if count == 1 { "member" } else { "members" };
    let head = format!("{count} {members} of cluster {}, as {} sees it", view.cluster, view.node);
    let head = paint.tone(Tone::Strong, &head);
    let parted = parted(view.partition).map(|text| format!("{}\n", paint.tone(Tone::Bad, &text)));
    let body = table(paint, &["name", "address", "state", "incarnation", "phi", "tags"], &rows);
    format!("{head}\n{}\n{body}", parted.unwrap_or_default())
}

/// What to say of a partition, if there is one.
fn parted(PartitionView { live, known, partitioned, minority, read_only }: PartitionView) -> Option<String> {
    let side = match (partitioned, minority, read_only) {
        (_, _, true) => ", a minority for longer than the grace: read only",
        (_, true, false) => ", a minority",
        (true, false, false) => "",
        (false, false, false) => return None,
    };
    Some(format!("partition: {live} of {known} live{side}"))
}

fn tags(tags: &Tags) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use kinfolk::{Incarnation, NodeAddr, NodeState};

    use super::*;
    use crate::control::MemberView;

    fn member(name: &str, state: NodeState, phi: Option<f64>, tags: &[(&str, &str)]) -> MemberView {
        MemberView {
            name: name.parse().unwrap(),
            addr: NodeAddr::new(([10, 0, 0, 1], 7946).into()),
            state,
            incarnation: Incarnation::new(17),
            tags: Tags::new(tags.iter().copied()).unwrap(),
            phi,
        }
    }

    #[test]
    fn a_partition_is_told_with_its_side_and_a_whole_group_is_not() {
        let told = |partitioned, minority, read_only| {
            parted(PartitionView { live: 2, known: 5, partitioned, minority, read_only })
        };
        assert_eq!(told(false, false, false), None);
        assert_eq!(told(true, false, false).unwrap(), "partition: 2 of 5 live");
        assert_eq!(told(true, true, false).unwrap(), "partition: 2 of 5 live, a minority");
        assert!(told(true, true, true).unwrap().ends_with("a minority for longer than the grace: read only"));
    }

    #[test]
    fn the_table_shows_each_node_with_what_is_known_of_it() {
        let view = MembersView {
            node: "a".parse().unwrap(),
            cluster: "prod".parse().unwrap(),
            members: vec![
                member("a", NodeState::Alive, None, &[("role", "db"), ("zone", "1")]),
                member("bb", NodeState::Suspect, Some(9.26), &[]),
                member("c", NodeState::Failed, None, &[]),
            ],
            partition: PartitionView {
                live: 1,
                known: 3,
                partitioned: true,
                minority: true,
                read_only: false,
            },
        };
        let expected = "\
2 members of cluster prod, as a sees it
partition: 1 of 3 live, a minority

name  address        state    incarnation  phi  tags
a     10.0.0.1:7946  alive    17           -    role=db zone=1
bb    10.0.0.1:7946  suspect  17           9.3
c     10.0.0.1:7946  failed   17           -
";
        assert_eq!(as_table(Paint::off(), &view), expected);
    }
}
