//! Tests of the commands that ask an agent: their output, filters, and errors.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::TestCluster;
use crate::process::{Run, command, message, run};

fn ask(cluster: &TestCluster, node: &str, args: &[&str]) -> Run {
    let socket = cluster.text(&format!("{node}.sock"));
    run(&[args, &["--socket", &socket]].concat())
}

#[track_caller]
fn shown(cluster: &TestCluster, node: &str, args: &[&str]) -> String {
    let run = ask(cluster, node, args);
    run.must_succeed();
    run.stdout
}

#[test]
fn members_are_filtered_sorted_and_written_in_each_form() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &["--tag", "role=db"]);
    let _b = cluster.start("b", &["--join", &a.addr, "--tag", "role=web"]);
    let c = cluster.start("c", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    a.wait_for_event("a member joined", "c");
    c.wait_for("that it joined", |line| message(line) == "joined");
    c.signal(Signal::TERM);
    a.wait_for_event("a member left", "c");
    let members = |args: &[&str]| shown(&cluster, "a", &[&["members"], args].concat());
    assert!(
        members(&["--tag", "role=web"]).contains("\nb ") && !members(&["--tag", "role=web"]).contains("\na ")
    );
    assert!(members(&["--state", "left"]).contains("\nc "), "a chosen state is shown without --all");
    assert!(members(&["-o", "wide"]).contains("rtt"));
    let lines = members(&["-o", "jsonl", "--sort", "address"]);
    let names: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone()).collect();
    assert_eq!(names.len(), 3, "{lines}");
    let json: Value = serde_json::from_str(&members(&["-o", "json"])).unwrap();
    assert_eq!(
        json,
        serde_json::from_str::<Value>(&members(&["--json"]))
            .map(|mut other| {
                // What the agent measures changes between the two.
                for (one, other) in
                    json["members"].as_array().unwrap().iter().zip(other["members"].as_array_mut().unwrap())
                {
                    other["phi"] = one["phi"].clone();
                    other["rtt_us"] = one["rtt_us"].clone();
                }
                other
            })
            .unwrap()
    );
    ask(&cluster, "a", &["members", "--state", "dead"]).must_fail(2, &["'dead'", "alive"]);

    let info = shown(&cluster, "a", &["info", "b"]);
    assert!(info.contains("state        alive") && info.contains("role=web"), "{info}");
    ask(&cluster, "a", &["info", "nobody"])
        .must_fail(1, &["no member named nobody", "kinfolk members --all"]);
    let explained = shown(&cluster, "a", &["explain", "b"]);
    assert!(explained.starts_with("b is alive"), "{explained}");
}

#[test]
fn round_trip_is_measured_or_the_reason_is_said() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let _b = cluster.start("b", &["--join", &a.addr]);
    let _c = cluster.start("c", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    a.wait_for_event("a member joined", "c");
    let line = shown(&cluster, "a", &["rtt", "b"]);
    assert!(line.ends_with(" between a and b, measured on their connection\n"), "{line}");
    let line = shown(&cluster, "a", &["rtt", "b", "a"]);
    assert!(line.ends_with(" between b and a, measured on their connection\n"), "{line}");
    let json: Value = serde_json::from_str(&shown(&cluster, "a", &["rtt", "b", "-o", "json"])).unwrap();
    assert_eq!(json["round_trips"][0]["source"], "measured", "{json}");
    // On one machine no member states a coordinate, so there is nothing to estimate by.
    ask(&cluster, "a", &["rtt", "b", "c"])
        .must_fail(1, &["b states no coordinate", "below 10 ms", "ask the agent of one of the two"]);
    ask(&cluster, "a", &["rtt", "nobody"]).must_fail(1, &["no member is named nobody"]);
    ask(&cluster, "a", &["rtt", "b", "b"]).must_fail(1, &["name two members"]);
}

#[test]
fn killed_member_is_explained_with_its_accusers() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let b = cluster.start("b", &["--join", &a.addr]);
    let mut c = cluster.start("c", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    a.wait_for_event("a member joined", "c");
    b.wait_for_event("a member joined", "c");
    c.signal(Signal::KILL);
    c.end();
    a.wait_for_event("a member failed", "c");
    let explained = shown(&cluster, "a", &["explain", "c"]);
    assert!(explained.starts_with("c is failed") && explained.contains("accusers"), "{explained}");
    let json: Value = serde_json::from_str(&shown(&cluster, "a", &["explain", "c", "-o", "json"])).unwrap();
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.last().unwrap()["finding"], "failed", "{json}");
}

#[test]
fn tags_are_set_and_unset() {
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &["--tag", "role=db"]);
    let table = shown(&cluster, "a", &["tags", "set", "zone=1", "note=a=b"]);
    assert_eq!(table, "tag   value\nnote  a=b\nrole  db\nzone  1\n");
    assert_eq!(shown(&cluster, "a", &["tags", "unset", "note", "role", "none"]), "tag   value\nzone  1\n");
    assert_eq!(shown(&cluster, "a", &["tags"]), "tag   value\nzone  1\n");
    assert_eq!(shown(&cluster, "a", &["tags", "list", "-o", "json"]), "{\"tags\":{\"zone\":\"1\"}}\n");
    ask(&cluster, "a", &["tags", "set", "zone"]).must_fail(2, &["KEY=VALUE"]);
    ask(&cluster, "a", &["tags", "set"]).must_fail(2, &["KEY=VALUE"]);
}

#[test]
fn services_are_listed_and_selected() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    std::fs::write(cluster.path("a.toml"), "[services.db]\nport = 5432\nmeta = { version = '17' }\n")
        .unwrap();
    let _a = cluster.start("a", &["--config", &cluster.text("a.toml")]);
    assert!(shown(&cluster, "a", &["services"]).contains("db       1          1"));
    assert!(shown(&cluster, "a", &["services", "db", "-o", "wide"]).contains("version=17"));
    assert_eq!(shown(&cluster, "a", &["select", "db"]), "127.0.0.1:5432\n");
    assert!(shown(&cluster, "a", &["select", "db", "--key", "x", "-o", "wide"]).contains("for the key"));
    assert_eq!(shown(&cluster, "a", &["select", "db", "--meta", "version=17"]), "127.0.0.1:5432\n");
    ask(&cluster, "a", &["select", "db", "--meta", "version=16"]).must_fail(1, &["loosen the filters"]);
    ask(&cluster, "a", &["select", "web"])
        .must_fail(1, &["no member offers the service", "kinfolk services"]);
    ask(&cluster, "a", &["select", "db", "--strategy", "key"]).must_fail(1, &["needs a key"]);
    ask(&cluster, "a", &["services", "web"]).must_fail(1, &["no member offers the service"]);
}

/// The check waits for reports. Each counts for its time.
#[test]
fn reported_health_is_that_of_the_service() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let text = "[services.db]\nport = 5432\ncheck = { ttl = '1h' }\n[services.web]\nport = 80\n";
    std::fs::write(cluster.path("a.toml"), text).unwrap();
    let a = cluster.start("a", &["--config", &cluster.text("a.toml")]);
    let offered = a.wait_for("the service", |line| line["service"] == "db");
    assert_eq!(offered["check"], "ttl 1h");
    let report = |args: &[&str]| ask(&cluster, "a", &[&["report"], args].concat());
    report(&["db", "warning", "slow disk"]).must_succeed();
    report(&["web", "passing"]).must_fail(1, &["no service \"web\"", "ttl"]);
    report(&["db", "good"]).must_fail(2, &["'good'", "passing"]);
}

/// A program that does not report makes its service critical.
#[test]
fn missing_report_makes_a_service_critical() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    std::fs::write(cluster.path("a.toml"), "[services.db]\nport = 5432\ncheck = { ttl = '1s' }\n").unwrap();
    let a = cluster.start("a", &["--config", &cluster.text("a.toml")]);
    a.wait_for("the missing report", |line| {
        line["services"].as_str().is_some_and(|services| services.contains("db:5432 (critical)"))
    });
    assert!(shown(&cluster, "a", &["services", "db"]).contains("no report for 1s"));
    ask(&cluster, "a", &["report", "db", "passing"]).must_succeed();
    a.wait_for("the report", |line| line["services"] == "db:5432");
}

#[test]
fn monitor_shows_events_as_they_come() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let socket = cluster.text("a.sock");
    let mut monitor = command(&[
        "monitor",
        "-o",
        "jsonl",
        "--kind",
        "user_event",
        "--kind",
        "snapshot",
        "--socket",
        &socket,
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["event"], "snapshot");
    let _b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    assert_eq!(
        shown(&cluster, "a", &["event", "deploy", "v1"]),
        "the event deploy is on its way to 1 other member\n"
    );
    let event = next();
    assert_eq!(
        (&event["event"], &event["name"], &event["payload"]),
        (&"user_event".into(), &"deploy".into(), &"v1".into())
    );
    ask(&cluster, "a", &["event", "a b"]).must_fail(1, &["\"a b\"", "letter or digit first"]);
    ask(&cluster, "a", &["event", "a", &"x".repeat(961)]).must_fail(1, &["the limit is 960"]);
    monitor.kill().unwrap();
    monitor.wait().unwrap();
}

#[test]
fn watched_members_are_shown_again_at_each_event() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let socket = cluster.text("a.sock");
    let mut watch =
        command(&["members", "--watch", "--socket", &socket]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "1 member of cluster test, as a sees it");
    let _b = cluster.start("b", &["--join", &a.addr]);
    assert!(lines.any(|line| line == "2 members of cluster test, as a sees it"));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn stats_leave_out_what_is_zero() {
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &[]);
    let short = shown(&cluster, "a", &["stats"]);
    assert!(short.contains("api") && !short.contains("forgotten_names"), "{short}");
    assert!(shown(&cluster, "a", &["stats", "--all"]).contains("forgotten_names"));
    let json: Value = serde_json::from_str(&shown(&cluster, "a", &["stats", "-o", "json"])).unwrap();
    assert!(json["pool"]["total"].is_u64(), "{json}");
}

#[test]
fn reload_without_a_file_opens_the_others_again() {
    let cluster = TestCluster::new();
    let _a = cluster.start("a", &[]);
    assert_eq!(shown(&cluster, "a", &["reload"]), "no setting changed\n");
    let log = cluster.text("events");
    let _b = cluster.start("b", &["--event-log", &log]);
    let said = shown(&cluster, "b", &["reload", "-o", "wide"]);
    let expected = "opened event_log again\nunchanged: cert, key, ca, listen, socket, log_format, event_log, probe_interval\n\
                    no setting changed\n";
    assert_eq!(said, expected);
}

#[test]
fn agent_that_ends_the_connection_is_told_from_another_program() {
    for (answer, named) in
        [("", "check that it still runs"), ("220 mail ready\r\n", "kinfolk agent of this version")]
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _request = std::io::Read::read(&mut stream, &mut [0; 1_024]).unwrap();
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        });
        run(&["members", "--url", &url]).must_fail(7, &[named]);
        serving.join().unwrap();
    }
}

#[test]
fn wrong_url_is_refused() {
    for url in ["127.0.0.1:1", "ftp://127.0.0.1", "http://127.0.0.1/v1", "nonsense"] {
        run(&["members", "--url", url]).must_fail(2, &[url, "give one such as http://127.0.0.1:8946"]);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    run(&["members", "--url", &format!("http://{closed}")]).must_fail(7, &[&closed, "--http"]);
}
