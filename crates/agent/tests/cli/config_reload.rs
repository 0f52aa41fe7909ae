//! Tests of an agent whose configuration file changes while it runs.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::TestCluster;
use crate::http::{Events, ask, ask_socket, socket, tcp};
use crate::process::{Agent, Run, command, message, run};

/// An agent `a` with a configuration file.
struct Configured {
    cluster: TestCluster,
    agent: Agent,
}

/// The settings of each file in these tests. The rest of the file follows them.
const BASE: &str = "cert = 'a.pem'\nkey = 'a-key.pem'\nca = 'ca.pem'\nsocket = 'a.sock'\n\
    listen = '127.0.0.1:0'\nprobe_interval = '200ms'\n";

impl Configured {
    /// Starts the agent with this file, and these flags.
    fn start(text: &str, flags: &[&str]) -> Self {
        let cluster = TestCluster::new();
        cluster.issue("a");
        let path = cluster.text("a.toml");
        fs::write(&path, format!("{BASE}{text}")).unwrap();
        let agent = Agent::start(&[&["agent", "--config", &path], flags].concat());
        Self { cluster, agent }
    }

    fn write(&self, text: &str) {
        fs::write(self.cluster.path("a.toml"), format!("{BASE}{text}")).unwrap();
    }

    fn run(&self, args: &[&str]) -> Run {
        run(&[args, &["--socket", &self.cluster.text("a.sock")]].concat())
    }

    /// Writes the file, and reloads. Returns the answer.
    fn reload(&self, text: &str) -> Value {
        self.write(text);
        let reloaded = self.run(&["reload", "-o", "json"]);
        reloaded.must_succeed();
        serde_json::from_str(&reloaded.stdout).unwrap()
    }

    fn get(&self, path: &str) -> Value {
        ask_socket(&self.cluster.path("a.sock"), &format!("GET {path}"), "").json()
    }

    fn tags(&self) -> Value {
        self.get("/v1/tags")["tags"].clone()
    }

    /// The health of each service of the member, with its note.
    fn services(&self) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let services = self.get("/v1/members/a")["services"].as_array().unwrap().clone();
        services.iter().map(|it| (text(&it["name"]), text(&it["health"]), text(&it["note"]))).collect()
    }
}

#[test]
fn changed_settings_are_applied_or_named() {
    let a = Configured::start(
        "log_level = 'info'\n[tags]\nrole = 'db'\nzone = 'x'\nold = '1'\n[services.db]\nport = 1\n[services.web]\nport = 2\n",
        &["--tag", "rack=1"],
    );
    a.run(&["tags", "set", "zone=operator", "extra=operator"]).must_succeed();
    let answer = a.reload(
        "log_level = 'debug'\nmode = 'lifeguard'\n[tags]\nrole = 'cache'\nzone = 'x'\nrack = '2'\n\
         [services.db]\nport = 1\n[services.api]\nport = 3\n",
    );
    let expected = json!({
        "applied": ["log_level", "tags.old", "tags.role", "services.api", "services.web"],
        "unchanged": ["cert", "key", "ca", "listen", "socket", "log_format", "probe_interval", "tags.zone", "services.db"],
        "restart": ["mode"], "overruled": ["tags.rack"], "reopened": [],
    });
    assert_eq!(answer, expected);
    assert_eq!(a.tags(), json!({"extra": "operator", "rack": "1", "role": "cache", "zone": "operator"}));
    let names: Vec<_> = a.services().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["api", "db"]);
    // Something else than HTTP is a line of the level `debug`.
    let mut client = socket(&a.cluster.path("a.sock"));
    std::io::Write::write_all(&mut client, b"nonsense\r\n\r\n").unwrap();
    a.agent.wait_for("the log at its new level", |line| line["level"] == "DEBUG");
    let text = a.run(&["reload"]);
    assert_eq!(
        text.stdout, "`mode` changed; restart the agent to apply it\n",
        "it is named until the restart"
    );
    a.agent.wait_for("a warning", |line| {
        message(line).contains("restart the agent") && line["settings"] == "mode" && line["level"] == "WARN"
    });
}

#[test]
fn flags_and_variables_still_win() {
    let a = Configured::start("log_level = 'info'\n", &["--log-level", "warn,kinfolk=info"]);
    let answer = a.reload("log_level = 'debug'\n");
    assert_eq!((&answer["applied"], &answer["overruled"]), (&json!([]), &json!(["log_level"])));
    a.agent.wait_for("a warning", |line| message(line).contains("a flag or a variable overrules"));
}

#[test]
fn bad_file_changes_nothing_at_all() {
    let good = "log_level = 'info'\n[tags]\nrole = 'db'\n[services.db]\nport = 1\n";
    let a = Configured::start(good, &[]);
    // With the tags that the file adds, those of the member would be over their bound.
    a.run(&["tags", "set", &format!("long={}", "x".repeat(16_000))]).must_succeed();
    let (tags, services) = (a.tags(), a.services());
    let path = a.cluster.text("a.toml");
    let long = format!("[tags]\nrole = 'cache'\nlonger = '{}'\n", "x".repeat(1_000));
    for (bad, named) in [
        (
            "log_level = 'inof'\n[tags]\nrole = 'cache'\n",
            &["line 7, log_level", "is not a log level; give"][..],
        ),
        ("lisen = 'x'\n[tags]\nrole = 'cache'\n", &["line 7", "\"lisen\"", "did you mean"]),
        ("[tags]\nrole = 'cache'\n[services.db]\nport = 0\n", &["line 10, port", "out of range"]),
        ("[tags\n", &["line 7"]),
        (
            "http_role = 'read'\n[tags]\nrole = 'cache'\n",
            &["`http_role` has no effect without `http`", "leave it out"],
        ),
        ("cert = 'missing.pem'\n", &["line 7, cert"]),
        (&long, &["tags"]),
    ] {
        a.write(bad);
        let refused = a.run(&["reload"]);
        let file = if bad == long { "" } else { path.as_str() };
        refused.must_fail(1, &[&["cannot reload", "everything is as before", file], named].concat());
        let problem = ask_socket(&a.cluster.path("a.sock"), "POST /v1/reload", "");
        problem.must_be_problem(409, "conflict");
        a.agent.signal(Signal::HUP);
        for _ in 0..3 {
            let line = a.agent.wait_for(bad, |line| message(line) == "the reload changed nothing");
            assert_eq!(line["cause"], problem.json()["detail"]);
        }
        assert_eq!((a.tags(), a.services()), (tags.clone(), services.clone()), "{bad}");
    }
    fs::remove_file(&path).unwrap();
    a.run(&["reload"]).must_fail(1, &["cannot read the configuration", &path]);
    assert_eq!(a.reload(good)["applied"], json!([]));
}

/// A certificate file that cannot be used stops the whole reload too.
#[test]
fn bad_certificate_stops_the_reload_before_anything_is_applied() {
    let a = Configured::start("[tags]\nrole = 'db'\n", &[]);
    let good = fs::read_to_string(a.cluster.path("a.pem")).unwrap();
    a.cluster.issue("b");
    for (cert, named) in
        [("nonsense".to_owned(), "a.pem"), (fs::read_to_string(a.cluster.path("b.pem")).unwrap(), "a")]
    {
        fs::write(a.cluster.path("a.pem"), cert).unwrap();
        a.write("[tags]\nrole = 'cache'\n");
        a.run(&["reload"]).must_fail(1, &["cannot reload", named]);
        assert_eq!(a.tags(), json!({"role": "db"}));
    }
    fs::write(a.cluster.path("a.pem"), good).unwrap();
    assert_eq!(a.reload("[tags]\nrole = 'cache'\n")["applied"], json!(["tags.role"]));
}

/// A reload changes other settings, and then the port of a service whose check has failed. The
/// others never see the service well, and the check goes on.
#[test]
fn running_check_goes_on_over_a_reload() {
    let check = "check = { command = ['/bin/sh', 'check'], interval = '100ms', failures = 1 }\n\
                 [services.batch]\nport = 9\ncheck = { ttl = '1h' }\n";
    let a = Configured::start(
        &format!("[services.db]\nport = 1\n{}", check.replace("'check'", "'/nonexistent'")),
        &[],
    );
    a.run(&["report", "batch", "warning", "slow"]).must_succeed();
    let is = |services: &[(String, String, String)], name: &str, health: &str| {
        services.iter().any(|(its, found, _)| its == name && found == health)
    };
    let mut events = Events::follow(socket(&a.cluster.path("a.sock")), "");
    let mut seen = events.wait_for("snapshot").data["members"][0]["services"].clone();
    while seen[1]["health"] != "critical" {
        seen = events.wait_for("node_updated").data["member"]["services"].clone();
    }
    while !is(&a.services(), "batch", "warning") {
        let _changed = events.wait_for("node_updated");
    }
    let nonexistent = check.replace("'check'", "'/nonexistent'");
    for (text, applied) in [
        (format!("[tags]\nrole = 'db'\n[services.db]\nport = 1\n{nonexistent}"), "tags.role"),
        (format!("[tags]\nrole = 'db'\n[services.db]\nport = 2\n{nonexistent}"), "services.db"),
    ] {
        assert_eq!(a.reload(&text)["applied"], json!([applied]));
        let updated = events.wait_for("node_updated").data["member"]["services"].clone();
        assert_eq!(
            (&updated[0]["health"], &updated[1]["health"]),
            (&json!("warning"), &json!("critical")),
            "{updated}"
        );
        // The report counts still: a new check would begin without it, and call the service
        // passing.
        assert!(is(&a.services(), "batch", "warning"));
    }
    // The check itself changes now: it finds the service well, and the service becomes passing.
    fs::write(a.cluster.path("check"), "exit 0\n").unwrap();
    let fixed = check.replace("'check'", &format!("'{}'", a.cluster.text("check")));
    a.reload(&format!("[tags]\nrole = 'db'\n[services.db]\nport = 2\n{}", fixed.replace("1h", "2h")));
    loop {
        let updated = events.wait_for("node_updated").data["member"]["services"].clone();
        assert_eq!(updated[0]["health"], "warning", "the last report counts for the new time too");
        if updated[1]["health"] == "passing" {
            break;
        }
    }
    // Without its check a service is passing, and takes no more reports.
    a.reload("[services.batch]\nport = 9\n");
    assert_eq!(a.services(), [("batch".to_owned(), "passing".to_owned(), String::new())]);
    a.run(&["report", "batch", "warning"]).must_fail(1, &["waits for reports"]);
}

#[test]
fn new_seeds_replace_those_of_a_join_that_never_succeeds() {
    let cluster = TestCluster::new();
    let b = cluster.start("b", &[]);
    cluster.issue("a");
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let write = |seed: &str| {
        let text = format!("{BASE}join = ['{seed}']\njoin_attempts = 'forever'\n");
        fs::write(cluster.path("a.toml"), text).unwrap();
    };
    write(&closed.local_addr().unwrap().to_string());
    let a = Agent::start(&["agent", "--config", &cluster.text("a.toml")]);
    a.wait_for("a failed attempt", |line| message(line).starts_with("no seed let us join yet"));
    write(&b.addr);
    let reloaded = run(&["reload", "--socket", &cluster.text("a.sock")]);
    assert_eq!(reloaded.stdout, "applied join\n");
    a.wait_for("that it joined", |line| message(line) == "joined" && line["through"] == "b");
    // Seeds that do not answer do no harm to a member that runs.
    let text = format!("{BASE}join = ['{}']\njoin_attempts = 'forever'\n", closed.local_addr().unwrap());
    fs::write(cluster.path("a.toml"), text).unwrap();
    run(&["reload", "--socket", &cluster.text("a.sock")]).must_succeed();
    a.wait_for("a failed attempt", |line| message(line).starts_with("no seed let us join yet"));
    assert_eq!(crate::process::members(&cluster.path("a.sock")).len(), 2);
}

#[test]
fn settings_of_the_http_port_change_while_it_is_open() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let write = |text: &str| fs::write(cluster.path("a.toml"), format!("{BASE}{text}")).unwrap();
    write("http = '127.0.0.1:0'\n");
    let mut agent = Agent::spawn(command(&["agent", "--config", &cluster.text("a.toml")]));
    let started = agent.wait_for("started", |line| message(line) == "started");
    let addr = started["http"].as_str().unwrap().to_owned();
    let reload = || {
        let reloaded = run(&["reload", "-o", "json", "--socket", &cluster.text("a.sock")]);
        reloaded.must_succeed();
        serde_json::from_str::<Value>(&reloaded.stdout).unwrap()
    };
    let put = |host: &str| ask(tcp(&addr), "DELETE /v1/tags/x", &[("host", host)], "");
    put("localhost").must_be_problem(403, "forbidden");
    write("http = '127.0.0.1:0'\nhttp_role = 'write'\nhttp_hosts = ['own.example']\n");
    assert_eq!(reload()["applied"], json!(["http_role", "http_hosts"]));
    assert_eq!(put("own.example").status, 204);
    write("http = '127.0.0.1:1'\nhttp_role = 'admin'\n");
    let answer = reload();
    assert_eq!(
        (&answer["applied"], &answer["restart"]),
        (&json!([]), &json!(["http", "http_role", "http_hosts"]))
    );
    assert_eq!(put("own.example").status, 204, "the open port goes on as it is");
    write("http = '127.0.0.1:0'\nhttp_role = 'read'\n");
    assert_eq!(reload()["applied"], json!(["http_role", "http_hosts"]));
    put("own.example").must_be_problem(403, "foreign_host");
    agent.signal(Signal::TERM);
    agent.end();
}
