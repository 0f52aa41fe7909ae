//! `kinfolk members`: the group as the agent on this machine sees it.

use std::io::Write as _;

use kinfolk::Tags;

use crate::cli::MembersArgs;
use crate::control::{self, Answer, MembersView, Question};
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
    let body = table(paint, &["name", "address", "state", "incarnation", "phi", "tags"], &rows);
    format!("{}\n\n{body}", paint.tone(Tone::Strong, &head))
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
    fn the_table_shows_each_node_with_what_is_known_of_it() {
        let view = MembersView {
            node: "a".parse().unwrap(),
            cluster: "prod".parse().unwrap(),
            members: vec![
                member("a", NodeState::Alive, None, &[("role", "db"), ("zone", "1")]),
                member("bb", NodeState::Suspect, Some(9.26), &[]),
                member("c", NodeState::Failed, None, &[]),
            ],
        };
        let expected = "\
2 members of cluster prod, as a sees it

name  address        state    incarnation  phi  tags
a     10.0.0.1:7946  alive    17           -    role=db zone=1
bb    10.0.0.1:7946  suspect  17           9.3
c     10.0.0.1:7946  failed   17           -
";
        assert_eq!(as_table(Paint::off(), &view), expected);
    }
}
