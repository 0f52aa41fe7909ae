//! Tests of the tables of services: what they may hold, and the message for each fault.

use super::super::file;
use super::*;

fn tables(text: &str) -> ServiceTables {
    file::parse(text).unwrap().services
}

#[track_caller]
fn fault(text: &str) -> String {
    file::parse(text).unwrap_err()
}

fn name(name: &str) -> ServiceName {
    name.parse().unwrap()
}

#[test]
fn services_with_all_keys_are_read() {
    let tables = tables(
        r#"
        [services.db]
        port = 5432
        weight = 200
        meta = { version = "17" }
        check = { tcp = "127.0.0.1:5432", interval = "10s", timeout = "2s", failures = 4, successes = 5 }
        [services.web]
        port = 80
        check = { command = ["/usr/local/bin/web-ok", "--quick"] }
        [services.plain]
        port = 1
        "#,
    );
    let meta = Tags::new([("version", "17")]).unwrap();
    let db = Service::new(5432).with_weight(Weight::new(200).unwrap()).with_meta(meta);
    let offered: Vec<_> = tables.offered.iter().map(|(name, service)| (name.as_str(), service)).collect();
    assert_eq!(offered, [("db", &db), ("plain", &Service::new(1)), ("web", &Service::new(80))]);
    let tcp = CheckSetting {
        kind: CheckKind::Tcp(([127, 0, 0, 1], 5432).into()),
        interval: Some(Duration::from_secs(10)),
        timeout: Some(Duration::from_secs(2)),
        failures: Some(4),
        successes: Some(5),
    };
    let command = CommandLine { program: "/usr/local/bin/web-ok".into(), args: vec!["--quick".to_owned()] };
    let command = CheckSetting {
        kind: CheckKind::Command(command),
        interval: None,
        timeout: None,
        failures: None,
        successes: None,
    };
    assert_eq!(tables.checks, BTreeMap::from([(name("db"), tcp), (name("web"), command)]));
}

#[test]
fn tables_may_be_nested_or_inline() {
    let nested =
        tables("[services.db]\nport = 1\n[services.db.meta]\na = 'b'\n[services.db.check]\ntcp = '[::1]:1'");
    let inline = tables("services.db = { port = 1, meta = { a = 'b' }, check = { tcp = '[::1]:1' } }");
    assert_eq!(nested, inline);
    assert_eq!(tables("").offered, Services::none());
}

#[test]
fn wrong_service_is_refused_with_its_line() {
    for (text, said) in [
        ("services = 5", "line 1, services: invalid type: integer `5`, expected a table for each service"),
        (
            "[services]\ndb = 5432",
            "line 2, db: invalid type: integer `5432`, expected a table, such as [services.db]",
        ),
        ("[services]\ndb = [5432]", "line 2, db: invalid type: sequence, expected a table"),
        ("[services.Db]\nport = 1", "line 1: the name \"Db\" contains 'D'; allowed are a-z, 0-9 and '-'"),
        ("[services.db]\nweight = 1", "line 1: the service has no port; give one, such as port = 5432"),
        ("[services.db]\nport = 0", "line 2, port: 0 is out of range; give 1 to 65535"),
        ("[services.db]\nport = 65536", "line 2, port: 65536 is out of range"),
        ("[services.db]\nport = true", "line 2, port: true is not a value here; give a whole number"),
        ("[services.db]\nport = 1\nweight = 1001", "line 3, weight: 1001 is out of range; give 1 to 1000"),
        ("[services.db]\nport = 1\nweight = 0", "line 3, weight: 0 is out of range"),
        ("[services.db]\nprot = 1", "line 2: there is no setting \"prot\"; did you mean \"port\"?"),
        ("[services.db]\nhost = 'a'", "line 2: there is no setting \"host\"; give port, weight, meta, check"),
        (
            "[services.db]\nport = 1\nmeta = 'x'",
            "line 3, meta: invalid type: string \"x\", expected a table of texts",
        ),
        (
            "[services.db]\nport = 1\nmeta = { version = 17 }",
            "line 3, meta: the value 17 of \"version\" is not in quotes; give a table of texts, such as meta = {",
        ),
        (
            "[services.db]\nport = 1\nmeta = { '' = 'x' }",
            "line 3, meta: cannot use the meta data: a tag has an empty",
        ),
        ("[service.db]\nport = 1", "line 1: there is no setting \"service\"; did you mean \"services\"?"),
    ] {
        let found = fault(text);
        assert!(found.starts_with(said), "{text:?}: {found}");
    }
}

#[test]
fn wrong_check_is_refused_with_its_key() {
    for (check, said) in [
        ("5", "check: invalid type: integer `5`, expected a table, such as check = { tcp ="),
        ("{}", "check: the check has no `tcp`, `http`, `command` or `ttl`; give one of them"),
        ("{ interval = '1s' }", "check: the check has no `tcp`, `http`, `command` or `ttl`"),
        (
            "{ tcp = '[::1]:1', command = ['a'] }",
            "check: the check has more than one of `tcp`, `http`, `command` and `ttl`; keep one",
        ),
        ("{ http = 'https://a/' }", "http: the URL \"https://a/\" does not begin with http:// and a host"),
        (
            "{ udp = '10s' }",
            "there is no setting \"udp\"; give tcp, http, command, ttl, interval, timeout, failures, successes",
        ),
        ("{ ttl = '999ms' }", "check: the ttl 999ms is too short; give at least 1s"),
        ("{ ttl = '10s', interval = '1s' }", "check: a check with `ttl` waits for reports, and runs nothing"),
        (
            "{ tcp = '[::1]:1', intervall = '1s' }",
            "there is no setting \"intervall\"; did you mean \"interval\"?",
        ),
        (
            "{ tcp = 'localhost:1' }",
            "tcp: \"localhost:1\" is a name, and not an IP address; give an IP address",
        ),
        ("{ tcp = 5432 }", "tcp: 5432 is not in quotes; give an IP address and a port"),
        (
            "{ command = 'a b' }",
            "command: \"a b\" is not a list; give a list of the program and its arguments",
        ),
        ("{ command = ['a', 5] }", "command: 5 in the list is not in quotes; give a list of the program"),
        ("{ command = [] }", "command: the program is missing; give a list of the program"),
        ("{ command = [''] }", "command: the program is missing"),
        ("{ tcp = '[::1]:1', interval = 10 }", "interval: 10 has no unit; give a number with its unit"),
        (
            "{ tcp = '[::1]:1', interval = '99ms' }",
            "check: the interval 99ms is too short; give at least 100ms",
        ),
        ("{ tcp = '[::1]:1', timeout = '0s' }", "check: the timeout is 0; give at least 1ms"),
        ("{ tcp = '[::1]:1', timeout = '2 x' }", "timeout: \"2 x\" is not a duration; give a number"),
        ("{ tcp = '[::1]:1', failures = 0 }", "failures: 0 is out of range; give 1 to 1000"),
        ("{ tcp = '[::1]:1', successes = 1001 }", "successes: 1001 is out of range; give 1 to 1000"),
    ] {
        let found = fault(&format!("[services.db]\nport = 1\ncheck = {check}"));
        let said =
            if said.starts_with("there") { format!("line 3: {said}") } else { format!("line 3, {said}") };
        assert!(found.starts_with(&said), "{check}: {found}");
    }
}

/// A check that could not report, because its note does not fit, would be noticed too late.
#[test]
fn room_for_each_note_is_reserved() {
    let numbered = |count: usize, check: &str| {
        let table = |number| format!("[services.s{number}]\nport = 1\n{check}\n");
        file::parse(&(0..count).map(table).collect::<String>())
            .map(|settings| settings.services.offered.len())
    };
    assert_eq!(numbered(32, ""), Ok(32));
    let many = numbered(33, "").unwrap_err();
    assert!(many.contains("offers 33 services; at most 32 are allowed"), "{many}");
    let check = "check = { tcp = '[::1]:1' }";
    assert_eq!(numbered(29, check), Ok(29));
    let large = numbered(30, check).unwrap_err();
    assert!(large.contains("at most 4096") && large.contains("each check counts as 120 bytes"), "{large}");
}

#[test]
fn relative_program_is_in_the_folder_of_the_file() {
    let program = |program: &str| {
        let text = format!("[services.db]\nport = 1\ncheck = {{ command = ['{program}'] }}");
        let mut tables = tables(&text);
        tables.relative_to(Path::new("/etc/kinfolk"));
        match tables.checks.remove("db").unwrap().kind {
            CheckKind::Command(command) => command.program.to_str().unwrap().to_owned(),
            CheckKind::Tcp(_) | CheckKind::Http(_) | CheckKind::Ttl(_) => panic!("it is a command"),
        }
    };
    assert_eq!(program("checks/db-ok"), "/etc/kinfolk/checks/db-ok");
    assert_eq!(program("/bin/true"), "/bin/true");
    assert_eq!(program("curl"), "curl", "a name is searched in PATH");
}
