//! Tests of services and of maintenance: what an agent offers, its checks, and its planned
//! absences, as another agent sees them.

use std::fs;

use serde_json::{Value, json};

use crate::cluster::TestCluster;
use crate::process::{Agent, message, run};

/// The member of this name as the agent at `socket` sees it.
fn member(cluster: &TestCluster, socket: &str, name: &str) -> Value {
    let run = run(&["members", "--json", "--socket", &cluster.text(socket)]);
    run.must_succeed();
    let view: Value = serde_json::from_str(&run.stdout).unwrap();
    view["members"].as_array().unwrap().iter().find(|member| member["name"] == name).unwrap().clone()
}

/// Waits until `agent` learns that the member says this about itself.
fn wait_for_change(agent: &Agent, field: &str, text: &str) {
    agent.wait_for(&format!("{field}: {text}"), |line| {
        message(line).starts_with("a member changed") && line[field] == text
    });
}

#[test]
fn failing_command_check_is_seen_by_others() {
    let cluster = TestCluster::new();
    // The script ends with the status in the file, and prints the rest of the line. The file is
    // replaced by a rename, so that the script never reads half of it.
    let result = |text: &str| {
        fs::write(cluster.path("result.new"), text).unwrap();
        fs::rename(cluster.path("result.new"), cluster.path("result")).unwrap();
    };
    result("0 fine\n");
    let script =
        format!("read -r status note < '{}'\necho \"$note\"\nexit \"$status\"\n", cluster.text("result"));
    fs::write(cluster.path("db-ok"), script).unwrap();
    let config = format!(
        "[services.db]\nport = 5432\nmeta = {{ version = '17' }}\n\
         check = {{ command = ['/bin/sh', '{}'], interval = '100ms', timeout = '1m', failures = 1, successes = 1 }}\n\
         [services.web]\nport = 80\n",
        cluster.text("db-ok")
    );
    fs::write(cluster.path("a.toml"), config).unwrap();

    let b = cluster.start("b", &[]);
    let a = cluster.start("a", &["--config", &cluster.text("a.toml"), "--join", &b.addr]);
    let offers = a.wait_for("its offer", |line| message(line) == "offers a service");
    assert_eq!((&offers["service"], &offers["check"]), (&json!("db"), &json!("command /bin/sh")));
    b.wait_for_event("a member joined", "a");
    let web = json!({"name": "web", "port": 80, "health": "passing", "note": ""});
    let with_db =
        |health: &str, note: &str| json!([{"name": "db", "port": 5432, "health": health, "note": note}, web]);
    assert_eq!(member(&cluster, "b.sock", "a")["services"], with_db("passing", ""));

    result("2 the disk is full\n");
    wait_for_change(&b, "services", "db:5432 (critical) web:80");
    let seen = member(&cluster, "b.sock", "a");
    assert_eq!(seen["services"], with_db("critical", "the disk is full"));
    assert_eq!(seen["health"], "passing", "the check is of the service");
    let table = run(&["members", "--socket", &cluster.text("b.sock")]);
    assert!(table.stdout.contains("db:5432 (critical) web:80"), "{}", table.stdout);

    result("1 nearly full\n");
    wait_for_change(&b, "services", "db:5432 (warning) web:80");
    result("0 fine\n");
    wait_for_change(&b, "services", "db:5432 web:80");
    assert_eq!(member(&cluster, "b.sock", "a")["services"], with_db("passing", ""));
}

#[test]
fn wrong_services_table_is_refused() {
    let cluster = TestCluster::new();
    let file = cluster.text("a.toml");
    fs::write(&file, "[services.db]\nport = 5432\ncheck = { tcp = 'db:5432' }\n").unwrap();
    run(&["agent", "--config", &file])
        .must_fail(3, &[&file, "line 3, tcp", "is a name", "give an IP address"]);
}

#[test]
fn maintenance_is_announced_until_its_end() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    let _b = cluster.start("b", &["--join", &a.addr]);
    a.wait_for_event("a member joined", "b");
    let socket = cluster.text("b.sock");
    let maintenance = |args: &[&str]| run(&[&["maintenance", "--socket", &socket], args].concat());

    let begun = maintenance(&["on", "--for", "10m", "--note", "new kernel"]);
    begun.must_succeed();
    assert!(begun.stdout.starts_with("b is in maintenance for 10m (new kernel)"), "{}", begun.stdout);
    // The command has ended; the maintenance goes on.
    assert_eq!(maintenance(&[]).stdout, "b is in maintenance, announced for 10m (new kernel)\n");
    wait_for_change(&a, "health", "maintenance");
    let seen = member(&cluster, "a.sock", "b");
    assert_eq!((&seen["health"], &seen["note"]), (&json!("maintenance"), &json!("new kernel")));
    let table = run(&["members", "--socket", &cluster.text("a.sock")]);
    assert!(table.stdout.contains("maintenance (new kernel)"), "{}", table.stdout);

    let ended = maintenance(&["off"]);
    ended.must_succeed();
    assert_eq!(ended.stdout, "the maintenance of b has ended\n");
    wait_for_change(&a, "health", "passing");
    assert_eq!(member(&cluster, "a.sock", "b")["health"], "passing");
    assert_eq!(maintenance(&["off"]).stdout, "b was not in maintenance\n");
    assert_eq!(maintenance(&[]).stdout, "b is not in maintenance\n");

    // It ends by itself, too.
    maintenance(&["--for", "1s"]).must_succeed();
    wait_for_change(&a, "health", "maintenance");
    wait_for_change(&a, "health", "passing");
}

#[test]
fn wrong_maintenance_is_refused() {
    for (args, said) in [
        (&["on"][..], "--for <DURATION>"),
        (&["--note", "x"], "--note needs a length"),
        (&["off", "--for", "10m"], "`off` takes no --for"),
        (&["off", "--note", "x"], "`off` takes no --note"),
        (&["--for", "10m", "--end"], "cannot be used with"),
        (&["--end", "--note", "x"], "cannot be used with"),
        (&["--for", "25h"], "\"25h\" is too long; give at most 24h"),
        (&["--for", "0s"], "\"0s\" is too short; give at least 1s"),
        (&["--for", "10"], "\"10\" has no unit"),
    ] {
        run(&[&["maintenance"], args].concat()).must_fail(2, &[said]);
    }
    run(&["maintenance", "--end", "--socket", "/nonexistent/socket"]).must_fail(7, &["no agent answers"]);
}
