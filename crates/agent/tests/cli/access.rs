//! Tests of who may use the TCP port: foreign hosts and origins, tokens, roles, TLS, and that no
//! port is open without the setting.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cluster::TestCluster;
use crate::http::{Answer, ask, tcp};
use crate::process::{Agent, command, message, run};

const READ: &str = "read-token-0123456789";
const WRITE: &str = "write-token-0123456789";
const ADMIN: &str = "admin-token-0123456789";

fn write_tokens(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Starts an agent with a TCP port. Returns its address.
fn start(cluster: &TestCluster, more: &[&str]) -> (Agent, String) {
    cluster.issue("a");
    let args = cluster.args("a", more);
    let agent = Agent::spawn(command(&args.iter().map(String::as_str).collect::<Vec<_>>()));
    let started = agent.wait_for("started", |line| message(line) == "started");
    let addr = started["http"].as_str().unwrap().to_owned();
    (agent, addr)
}

fn with_tokens(cluster: &TestCluster) -> (Agent, String) {
    let tokens = cluster.path("tokens");
    write_tokens(&tokens, &format!("read {READ}\nwrite {WRITE}\nadmin {ADMIN}\n"));
    start(cluster, &["--http", "127.0.0.1:0", "--http-tokens", tokens.to_str().unwrap()])
}

fn with_token(addr: &str, line: &str, token: &str) -> Answer {
    let token = format!("Bearer {token}");
    ask(tcp(addr), line, &[("host", "localhost"), ("authorization", &token)], "")
}

#[test]
fn no_tcp_port_is_open_without_the_setting() {
    let cluster = TestCluster::new();
    let a = cluster.start("a", &[]);
    // The system's table of all listening sockets, and those of the agent among them.
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{}/fd", a.process())).unwrap() {
        let link = fs::read_link(entry.unwrap().path()).unwrap_or_default();
        let inode = link
            .to_str()
            .and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned));
        inodes.extend(inode);
    }
    assert!(!inodes.is_empty(), "the agent has sockets");
    let holds_tcp_port = |process: u32, inodes: &[String]| {
        ["tcp", "tcp6"].iter().any(|table| {
            let table = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
            let inode_of = |line: &str| line.split_whitespace().nth(9).map(str::to_owned);
            table.lines().skip(1).filter_map(inode_of).any(|inode| inodes.contains(&inode))
        })
    };
    assert!(!holds_tcp_port(a.process(), &inodes));
    // The check can fail: this process opens a port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let link =
        fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&listener))).unwrap();
    let own = link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').to_owned();
    assert!(holds_tcp_port(std::process::id(), &[own]));
}

#[test]
fn foreign_host_or_origin_is_refused() {
    let cluster = TestCluster::new();
    let (_a, addr) = start(&cluster, &["--http", "127.0.0.1:0", "--http-hosts", "own.example,b.example"]);
    let get = |headers: &[(&str, &str)]| ask(tcp(&addr), "GET /v1/members", headers, "");
    for host in [addr.as_str(), "localhost", "own.example:80", "a", "a.test.kinfolk"] {
        assert_eq!(get(&[("host", host)]).status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "", "c.test.kinfolk"] {
        get(&[("host", host)]).must_be_problem(403, "foreign_host");
    }
    get(&[]).must_be_problem(403, "foreign_host");
    // Also where no token is needed.
    ask(tcp(&addr), "GET /healthz", &[("host", "evil.example")], "").must_be_problem(403, "foreign_host");
    let same = format!("http://{addr}");
    assert_eq!(get(&[("host", &addr), ("origin", &same)]).status, 200);
    for origin in ["http://evil.example", "http://127.0.0.1:1", "null"] {
        get(&[("host", &addr), ("origin", origin)]).must_be_problem(403, "foreign_origin");
    }
    get(&[("host", &addr), ("sec-fetch-site", "cross-site")]).must_be_problem(403, "foreign_origin");
}

#[test]
fn client_without_token_is_refused() {
    let cluster = TestCluster::new();
    let (_a, addr) = with_tokens(&cluster);
    let missing = ask(tcp(&addr), "GET /v1/members", &[("host", "localhost")], "");
    missing.must_be_problem(401, "unauthenticated");
    assert!(missing.head.contains("www-authenticate: bearer"), "{missing:#?}");
    for token in ["", "wrong-token-0123456789", &READ[1..]] {
        with_token(&addr, "GET /v1/members", token).must_be_problem(401, "unauthenticated");
    }
    let basic = [("host", "localhost"), ("authorization", "Basic cmVhZA==")];
    ask(tcp(&addr), "GET /v1/members", &basic, "").must_be_problem(401, "unauthenticated");
    for path in ["/healthz", "/readyz", "/v1/openapi.json"] {
        let open = ask(tcp(&addr), &format!("GET {path}"), &[("host", "localhost")], "");
        assert_eq!(open.status, 200, "{path}: {open:#?}");
    }
}

#[test]
fn each_role_may_do_its_own_and_what_lower_ones_may() {
    let cluster = TestCluster::new();
    let (_a, addr) = with_tokens(&cluster);
    for token in [READ, WRITE, ADMIN] {
        assert_eq!(with_token(&addr, "GET /v1/members", token).status, 200);
    }
    let (write, admin) = ("DELETE /v1/tags/x", "POST /v1/reload");
    with_token(&addr, write, READ).must_be_problem(403, "forbidden");
    with_token(&addr, admin, READ).must_be_problem(403, "forbidden");
    assert_eq!(with_token(&addr, write, WRITE).status, 204);
    with_token(&addr, admin, WRITE).must_be_problem(403, "forbidden");
    with_token(&addr, "POST /v1/leave", WRITE).must_be_problem(403, "forbidden");
    with_token(&addr, "DELETE /v1/members/b", WRITE).must_be_problem(403, "forbidden");
    with_token(&addr, "POST /v1/revocations", WRITE).must_be_problem(403, "forbidden");
    assert_eq!(with_token(&addr, write, ADMIN).status, 204);
    let reloaded = with_token(&addr, admin, ADMIN);
    assert_eq!(reloaded.json()["applied"], serde_json::json!([]), "no file has changed");
}

#[test]
fn reload_reads_the_tokens_again_and_keeps_them_if_they_are_wrong() {
    let cluster = TestCluster::new();
    let (a, addr) = with_tokens(&cluster);
    let tokens = cluster.path("tokens");
    write_tokens(&tokens, "nonsense\n");
    with_token(&addr, "POST /v1/reload", ADMIN).must_be_problem(409, "conflict");
    assert_eq!(with_token(&addr, "GET /v1/members", READ).status, 200, "the former tokens stay");
    write_tokens(&tokens, "read another-token-0123456789\n");
    a.signal(rustix::process::Signal::HUP);
    a.wait_for("the reload", |line| {
        message(line).starts_with("reloaded") && line["applied"] == "http_tokens"
    });
    with_token(&addr, "GET /v1/members", READ).must_be_problem(401, "unauthenticated");
    assert_eq!(with_token(&addr, "GET /v1/members", "another-token-0123456789").status, 200);
}

#[test]
fn loopback_without_tokens_is_read_only_unless_the_role_says_more() {
    let cluster = TestCluster::new();
    let (_a, addr) = start(&cluster, &["--http", "127.0.0.1:0"]);
    let host = [("host", "localhost")];
    assert_eq!(ask(tcp(&addr), "GET /v1/members", &host, "").status, 200);
    ask(tcp(&addr), "POST /v1/leave", &host, "").must_be_problem(403, "forbidden");
    let other = TestCluster::new();
    let (_b, addr) = start(&other, &["--http", "127.0.0.1:0", "--http-role", "admin"]);
    assert_eq!(ask(tcp(&addr), "POST /v1/reload", &host, "").status, 200);
}

#[test]
fn other_address_without_tokens_is_refused_at_the_start() {
    let cluster = TestCluster::new();
    cluster.issue("a");
    let agent = |more: &[&str]| {
        let args = cluster.args("a", more);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    agent(&["--http", "0.0.0.0:0"]).must_fail(3, &["0.0.0.0:0", "http_tokens"]);
    let tokens = cluster.text("tokens");
    agent(&["--http", "127.0.0.1:0", "--http-tokens", &tokens])
        .must_fail(3, &[&tokens, "cannot read the tokens"]);
    fs::write(&tokens, format!("read {READ}\n")).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o644)).unwrap();
    agent(&["--http", "127.0.0.1:0", "--http-tokens", &tokens]).must_fail(3, &["chmod 600"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let held = std::net::TcpListener::bind(taken).unwrap();
    agent(&["--http", &taken.to_string()]).must_fail(5, &[&taken.to_string(), "--http"]);
    drop(held);
    assert!(!cluster.path("a.sock").exists(), "the socket is removed with its agent");
}

/// The commands over TLS with a token, and with a client certificate.
#[test]
fn commands_work_over_tls() {
    let cluster = TestCluster::new();
    let tokens = cluster.path("tokens");
    write_tokens(&tokens, &format!("read {READ}\nadmin cert:ops.test.kinfolk\n"));
    cluster.issue("ops");
    cluster.issue("other");
    let ca = cluster.text("ca.pem");
    let (_a, addr) = start(
        &cluster,
        &["--http", "0.0.0.0:0", "--http-tokens", tokens.to_str().unwrap(), "--http-client-ca", &ca],
    );
    let url = format!("https://127.0.0.1:{}", addr.rsplit_once(':').unwrap().1);
    let tls = ["--url", &url, "--url-ca", &ca, "--url-name", "a.test.kinfolk"];
    let run_with = |args: &[&str], more: &[&str]| run(&[args, &tls[..], more].concat());
    let by_token = run_with(&["members"], &["--token", READ]);
    by_token.must_succeed();
    assert!(by_token.stdout.starts_with("1 member of cluster test"), "{}", by_token.stdout);
    run_with(&["reload"], &["--token", READ]).must_fail(1, &["needs the role admin"]);
    run_with(&["members"], &[]).must_fail(1, &["known clients"]);
    let (cert, key) = (cluster.text("ops.pem"), cluster.text("ops-key.pem"));
    run_with(&["reload"], &["--url-cert", &cert, "--url-key", &key]).must_succeed();
    let (cert, key) = (cluster.text("other.pem"), cluster.text("other-key.pem"));
    run_with(&["members"], &["--url-cert", &cert, "--url-key", &key]).must_fail(1, &["known clients"]);
    // The certificate does not have the name of the URL.
    run(&["members", "--url", &url, "--url-ca", &ca, "--token", READ]).must_fail(7, &["no agent answers"]);
    let twin = TestCluster::new();
    let wrong_ca = twin.text("ca.pem");
    run(&["members", "--url", &url, "--url-ca", &wrong_ca, "--url-name", "a.test.kinfolk"])
        .must_fail(7, &["no agent answers"]);
    run(&["members", "--url", &url]).must_fail(2, &["--url-ca"]);
    // Plain HTTP is answered with what is wrong, and not served.
    let plain = url.replace("https", "http");
    run(&["members", "--url", &plain, "--token", READ]).must_fail(1, &["uses TLS", "https://"]);
    let addr = url.trim_start_matches("https://");
    let token = format!("Bearer {READ}");
    let refused = ask(tcp(addr), "GET /v1/members", &[("host", "a"), ("authorization", &token)], "");
    refused.must_be_problem(400, "invalid");
}
