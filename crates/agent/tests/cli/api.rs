//! Tests of the API over the socket: what each path answers, and the stream of events.

use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::TestCluster;
use crate::http::{Events, ask, ask_socket, socket};
use crate::process::{DEADLINE, message};

fn get(path: &Path, what: &str) -> Value {
    let answer = ask_socket(path, &format!("GET {what}"), "");
    assert_eq!(answer.status, 200, "{answer:#?}");
    answer.json()
}

#[test]
fn each_path_answers_with_its_view() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &["--tag", "role=db"]);
    let _b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    let path = cluster.path("a.sock");
    let members = get(&path, "/v1/members");
    assert_eq!((&members["node"], &members["cluster"]), (&json!("a"), &json!("test")));
    assert_eq!(members["members"].as_array().unwrap().len(), 2, "{members}");
    assert_eq!(get(&path, "/v1/members?tag=role%3Ddb")["members"][0]["name"], "a");
    assert_eq!(get(&path, "/v1/members?state=failed&state=left")["members"], json!([]));
    assert_eq!(get(&path, "/v1/members/b")["state"], "alive");
    assert_eq!(get(&path, "/v1/members/b/explain")["findings"], json!([]));
    assert_eq!(get(&path, "/v1/services")["services"], json!([]));
    assert_eq!(get(&path, "/v1/partition")["live"], 2);
    let trip = &get(&path, "/v1/round-trips")["round_trips"][0];
    assert_eq!(
        (&trip["from"], &trip["name"], &trip["source"]),
        (&json!("a"), &json!("b"), &json!("measured"))
    );
    let between = &get(&path, "/v1/round-trips?from=b&to=a")["round_trips"][0];
    assert_eq!(
        (&between["from"], &between["name"], &between["source"]),
        (&json!("b"), &json!("a"), &json!("measured")),
        "it is the same connection"
    );
    // All members are on one machine, so none states a coordinate.
    assert_eq!(get(&path, "/v1/coordinates")["coordinates"], json!([]));
    assert_eq!(get(&path, "/v1/members/b")["coordinate"], Value::Null);
    assert_eq!(get(&path, "/v1/agent")["ready"], true);
    assert!(get(&path, "/v1/stats")["api"]["requests"].as_u64().unwrap() > 5);
    assert!(get(&path, "/v1/certificates")["own"]["expires_in_seconds"].as_i64().unwrap() > 86_400 * 364);
    assert_eq!(get(&path, "/v1/maintenance")["seconds"], 0);
    let metrics = ask_socket(&path, "GET /metrics", "");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{metrics:#?}");
    assert!(metrics.body.contains("kinfolk_members{state=\"alive\"} 2\n"), "{metrics:#?}");
    assert_eq!(
        (get(&path, "/healthz"), get(&path, "/readyz")),
        (json!({"status": "ok"}), json!({"status": "ok"}))
    );
}

/// All of axum's own refusals, too.
#[test]
fn each_error_is_a_problem() {
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &[]);
    let path = cluster.path("a.sock");
    let problem =
        |line: &str, body: &str, status, code| ask_socket(&path, line, body).must_be_problem(status, code);
    problem("GET /nothing", "", 404, "not_found");
    problem("PUT /v1/members", "", 405, "method_not_allowed");
    problem("GET /v1/members/nobody", "", 404, "not_found");
    problem("GET /v1/members/No%20Name", "", 400, "invalid");
    problem("GET /v1/members/%ff", "", 400, "invalid");
    problem("GET /v1/members?state=dead", "", 400, "invalid");
    problem("GET /v1/members?unknown=1", "", 400, "invalid");
    problem("GET /v1/round-trips?to=nobody", "", 404, "not_found");
    problem("GET /v1/round-trips?from=a", "", 400, "invalid");
    problem("GET /v1/round-trips?from=a&to=a", "", 400, "invalid");
    problem("GET /v1/round-trips?to=No%20Name", "", 400, "invalid");
    problem("GET /v1/services/none", "", 404, "not_found");
    problem("GET /v1/services/none/select", "", 404, "not_found");
    problem("DELETE /v1/members/a", "", 409, "conflict");
    problem("PATCH /v1/tags", "{\"a\":", 400, "invalid");
    problem("PATCH /v1/tags", "{\"a\":1}", 400, "invalid");
    problem("PATCH /v1/tags", "{\"\":\"x\"}", 400, "invalid");
    problem("PUT /v1/maintenance", "{\"seconds\":0}", 400, "invalid");
    problem("PUT /v1/maintenance", "{\"seconds\":86401}", 400, "invalid");
    problem("POST /v1/events", "{\"name\":\"a b\"}", 400, "invalid");
    problem("PATCH /v1/tags", &format!("{{\"a\":\"{}\"}}", "x".repeat(200_000)), 413, "too_large");
    ask(socket(&path), "PATCH /v1/tags", &[("content-type", "text/plain")], "{}")
        .must_be_problem(415, "unsupported_media_type");
    ask(socket(&path), "GET /v1/members", &[("origin", "http://evil.example")], "")
        .must_be_problem(403, "foreign_origin");
    ask(socket(&path), "GET /v1/events", &[("last-event-id", "?")], "").must_be_problem(400, "invalid");
}

#[test]
fn document_has_every_path_and_its_errors() {
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &[]);
    let document = get(&cluster.path("a.sock"), "/v1/openapi.json");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 20, "{:?}", paths.keys());
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let open = ["/healthz", "/readyz", "/v1/openapi.json"].contains(&path.as_str());
            let responses = &operation["responses"];
            assert_eq!(responses["401"].is_object(), !open, "{method} {path}");
            assert!(responses["403"].is_object() && responses["503"].is_object(), "{method} {path}");
            assert_eq!(responses["415"].is_object(), operation["requestBody"].is_object(), "{method} {path}");
            assert!(
                operation["operationId"].is_string() && operation["summary"].is_string(),
                "{method} {path}"
            );
        }
    }
    // The page for operators has each path with its methods.
    let page = include_str!("../../../../docs/operations.md");
    for (path, item) in paths {
        for method in item.as_object().unwrap().keys() {
            let named = format!("`{} {path}`", method.to_uppercase());
            assert!(page.contains(&named), "{named} is not in docs/operations.md");
        }
    }
    let tags = paths["/v1/tags"].as_object().unwrap();
    assert!(tags.contains_key("get") && tags.contains_key("patch"), "a path with two roles has both methods");
    // Each reference leads to a part of the document.
    let text = document.to_string();
    for name in text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn tags_are_changed_together_or_one_by_one() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &["--tag", "role=db", "--tag", "zone=1"]);
    let b = cluster.start("b", &["--join", &a.addr]);
    b.wait_for_event("a member joined", "a");
    let path = cluster.path("a.sock");
    let answer = ask_socket(&path, "PATCH /v1/tags", "{\"zone\":null,\"rack\":\"7\"}");
    assert_eq!(answer.json(), json!({"tags": {"role": "db", "rack": "7"}}));
    assert_eq!(ask_socket(&path, "PUT /v1/tags/a%2Fb", "{\"value\":\"x=y\"}").status, 204);
    assert_eq!(ask_socket(&path, "DELETE /v1/tags/role", "").status, 204);
    assert_eq!(get(&path, "/v1/tags"), json!({"tags": {"rack": "7", "a/b": "x=y"}}));
    b.wait_for("the tags", |line| line["node"] == "a" && line["tags"] == "a/b=x=y rack=7");
}

#[test]
fn stream_begins_with_a_snapshot_and_resumes() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let path = cluster.path("a.sock");
    let mut events = Events::follow(socket(&path), "");
    let first = events.next().unwrap();
    assert_eq!((first.name.as_str(), &first.data["members"][0]["name"]), ("snapshot", &json!("a")));
    let b = cluster.start("b", &["--join", &a.addr]);
    let joined = events.wait_for("node_joined");
    assert_eq!(joined.data["member"]["name"], "b");
    let sent = ask_socket(&path, "POST /v1/events", "{\"name\":\"deploy\",\"payload\":\"v1\"}");
    assert_eq!((sent.status, sent.json()), (202, json!({"name": "deploy", "members": 1})));
    let own = events.wait_for("user_event");
    assert_eq!(own.data, json!({"kind": "user_event", "from": "a", "name": "deploy", "payload": "v1"}));
    drop(events);

    // A client that was away gets what it missed, and no snapshot.
    let mut resumed = Events::follow(socket(&path), &joined.id);
    assert_eq!(resumed.next().unwrap().id, own.id);
    // An id of another run of the agent: nobody knows what was lost.
    let mut other = Events::follow(socket(&path), "00000000-5");
    assert_eq!(
        other.next().map(|event| (event.name, event.data)),
        Some(("lost".to_owned(), json!({"count": null})))
    );
    assert_eq!(other.next().unwrap().name, "snapshot");

    // The other member receives the event, too.
    let mut there = Events::follow(socket(&cluster.path("b.sock")), "");
    ask_socket(&path, "POST /v1/events", "{\"name\":\"deploy\",\"payload\":\"v2\"}");
    // The first one may arrive only now.
    let mut received = there.wait_for("user_event");
    while received.data["payload"] == "v1" {
        received = there.wait_for("user_event");
    }
    assert_eq!((&received.data["from"], &received.data["payload"]), (&json!("a"), &json!("v2")));

    // The stream ends with the agent, after its last event.
    b.signal(Signal::TERM);
    assert_eq!(there.wait_for("node_left").data["member"]["name"], "b");
    while there.next().is_some() {}
}

/// The agent keeps 1,024 events. A client that has missed more learns how many.
#[test]
fn late_client_learns_what_it_lost() {
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &[]);
    let path = cluster.path("a.sock");
    let mut events = Events::follow(socket(&path), "");
    let first = events.next().unwrap().id;
    let run = first.split_once('-').unwrap().0.to_owned();
    for number in 1..=1_030 {
        let body = format!("{{\"name\":\"n\",\"payload\":\"{number}\"}}");
        assert_eq!(ask_socket(&path, "POST /v1/events", &body).status, 202);
    }
    // The first client has read everything: it has lost nothing.
    while events.wait_for("user_event").data["payload"] != "1030" {}
    let mut late = Events::follow(socket(&path), &first);
    let lost = late.next().unwrap();
    assert_eq!(lost.name, "lost");
    assert!(lost.data["count"].as_u64().unwrap() >= 1_030, "{lost:?}");
    let snapshot = late.next().unwrap();
    assert!(snapshot.name == "snapshot" && snapshot.id.starts_with(&run), "{snapshot:?}");
    let lost = get(&path, "/v1/stats")["api"]["events_lost"].as_u64();
    assert!(lost >= Some(1_030), "{lost:?}");
}

/// 1,024 clients may follow events. One more is refused until a place is free.
#[test]
fn one_client_too_many_is_refused() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.maximum.is_some_and(|files| files < 4_096) {
        eprintln!("SKIPPED: this user may not open so many files");
        return;
    }
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &[]);
    let path = cluster.path("a.sock");
    // The usual soft limit of files is too low for so many connections.
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let mut clients: Vec<_> = (0..1_024).map(|_| Events::follow(socket(&path), "")).collect();
    ask_socket(&path, "GET /v1/events", "").must_be_problem(503, "busy");
    let api = get(&path, "/v1/stats")["api"].clone();
    assert_eq!((&api["event_clients"], &api["event_clients_refused"]), (&json!(1_024), &json!(1)));
    clients.pop();
    let deadline = Instant::now() + DEADLINE;
    while get(&path, "/v1/stats")["api"]["event_clients"] != 1_023 {
        assert!(Instant::now() < deadline, "the place does not become free");
    }
    assert_eq!(Events::follow(socket(&path), "").next().unwrap().name, "snapshot");
}

#[test]
fn agent_without_its_seed_is_not_ready() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let seed = silent.local_addr().unwrap().to_string();
    let a = cluster.start("a", &["--join", &seed, "--join-attempts", "forever"]);
    let path = cluster.path("a.sock");
    ask_socket(&path, "GET /readyz", "").must_be_problem(503, "unavailable");
    assert_eq!(ask_socket(&path, "GET /healthz", "").status, 200, "it runs all the same");
    let _b = cluster.start("b", &["--join", &a.addr]);
    let deadline = Instant::now() + DEADLINE;
    while ask_socket(&path, "GET /readyz", "").status != 200 {
        assert!(Instant::now() < deadline, "the agent does not become ready");
    }
}

#[test]
fn leave_over_the_api_stops_the_agent() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let mut b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    b.wait_for("that it joined", |line| message(line) == "joined");
    let left = ask_socket(&cluster.path("b.sock"), "POST /v1/leave", "");
    assert_eq!((left.status, left.json()), (200, json!({"notified": 1, "confirmed": 1})));
    b.wait_for("the end", |line| message(line) == "stopped");
    assert_eq!(b.end().0.code(), Some(0));
    a.wait_for_event("a member left", "b");
}
