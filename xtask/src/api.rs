//! Tests the agent's API as a program of its own: schemathesis makes requests from the OpenAPI
//! document of a running agent, and many clients follow the events of another one. Not part of the
//! gate, because it needs Python and the network.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The version of schemathesis, from the Python package index.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// A token with all rights on the tested agent, which lives for the time of the test.
const TOKEN: &str = "admin-token-of-the-test";
/// How long the agent may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Paths that the test leaves out: the first stops the agent, and the second never ends. The tests
/// of the agent cover them.
const LEFT_OUT: [&str; 2] = ["leave", "follow_events"];

/// The name of the agent, and below its service: those of the examples in the document.
const NODE: &str = "web-1";
/// A service, so that there is one to select, and to report for.
const SERVICES: &str = "[services.db]\nport = 5432\nmeta = { version = '17' }\ncheck = { ttl = '1h' }\n";

/// Runs both parts.
///
/// # Errors
/// When a tool is missing, an answer is not in the document, or a slow client is not told what it
/// lost.
pub(crate) fn check(examples: u32) -> Result<String> {
    shell::run(&mut shell::cargo(["build", "--package", "kinfolk-agent"]))?;
    let program = shell::target().join("debug").join("kinfolk");
    let schemathesis = install()?;
    let agent = Agent::start(&program)?;
    let mut test = Command::new(schemathesis);
    test.arg("run").arg(format!("http://{}/v1/openapi.json", agent.addr));
    test.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
    test.args(LEFT_OUT.iter().flat_map(|operation| ["--exclude-operation-id", operation]));
    // A schema cannot say that a text is limited in bytes, or that a number has no fraction as it
    // is written. So the agent may refuse what the schema allows.
    test.args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"]);
    test.args(["--max-examples", &examples.to_string(), "--request-timeout", "20"]);
    test.current_dir(&agent.folder);
    shell::run(&mut test)?;
    drop(agent);
    let mut clients = shell::cargo(["run", "--package", "kinfolk-scenarios", "--", "event-clients"]);
    shell::run(clients.arg("--agent").arg(&program))?;
    Ok("each answer is in the document, and slow clients are told what they lost".to_owned())
}

/// Installs schemathesis in a virtual environment below the target folder. Returns its program.
fn install() -> Result<PathBuf> {
    let folder = shell::target().join("api").join("venv");
    let program = folder.join("bin").join("schemathesis");
    if !program.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
        let made = made.context("cannot start python3; install it, with its module venv")?;
        anyhow::ensure!(made.success(), "cannot make a virtual environment; install python3-venv");
        shell::run(Command::new(folder.join("bin").join("pip")).args(["install", "--quiet", SCHEMATHESIS]))?;
    }
    Ok(program)
}

/// A running agent. Dropping it ends its process.
struct Agent {
    child: Child,
    folder: PathBuf,
    /// The address of its HTTP port.
    addr: String,
}

impl Agent {
    /// Starts an agent with an HTTP port, in a folder of its own.
    fn start(program: &Path) -> Result<Self> {
        let folder = shell::target().join("api").join("agent");
        // From the run before.
        let _nothing_there = fs::remove_dir_all(&folder);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let file = |name: &str| folder.join(name);
        let at = folder.to_str().context("the path of the target folder is not UTF-8; choose another")?;
        shell::run_hidden(Command::new(program).args(["ca", "init", at, "--cluster", "api"]))?;
        shell::run_hidden(Command::new(program).args(["ca", "issue", at, NODE]))?;
        let mut tokens = fs::OpenOptions::new();
        let mut tokens = tokens.write(true).create_new(true).mode(0o600).open(file("tokens"))?;
        std::io::Write::write_all(&mut tokens, format!("admin {TOKEN}\n").as_bytes())?;
        fs::write(file("a.toml"), SERVICES)?;
        let log = fs::File::create(file("a.log"))?;
        let mut command = Command::new(program);
        command.arg("agent").arg("--config").arg(file("a.toml"));
        command
            .arg("--cert")
            .arg(file(&format!("{NODE}.pem")))
            .arg("--key")
            .arg(file(&format!("{NODE}-key.pem")));
        command.arg("--ca").arg(file("ca.pem")).arg("--socket").arg(file("a.sock"));
        command.arg("--http-tokens").arg(file("tokens")).arg("--event-log").arg(file("events"));
        command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("cannot start the agent")?;
        let mut agent = Self { child, folder, addr: String::new() };
        let begun = Instant::now();
        while agent.addr.is_empty() {
            let log = fs::read_to_string(agent.folder.join("a.log"))?;
            if begun.elapsed() > START_LIMIT {
                bail!("the agent does not start: {log}");
            }
            if let Some((_, rest)) = log.split_once(" http=\"") {
                rest.split('"').next().unwrap_or_default().clone_into(&mut agent.addr);
            }
            // Sleeps because nothing signals a line of the log.
            sleep(Duration::from_millis(20));
        }
        Ok(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _status = self.child.wait();
    }
}
