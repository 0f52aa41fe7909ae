//! The folder of a test's cluster: a CA and certificates, made by the program itself.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::process::{Agent, run};

/// A folder with a CA in it.
pub(crate) struct TestCluster {
    folder: TempDir,
}

impl TestCluster {
    pub(crate) fn new() -> Self {
        let cluster = Self { folder: tempfile::tempdir().unwrap() };
        run(&["ca", "init", &cluster.text("."), "--cluster", "test"]).must_succeed();
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Issues a certificate to `node`.
    pub(crate) fn issue(&self, node: &str) {
        run(&["ca", "issue", &self.text("."), node]).must_succeed();
    }

    /// The arguments that start `node` on a port that the system chooses. `more` replaces the usual
    /// flags of the same names.
    pub(crate) fn args(&self, node: &str, more: &[&str]) -> Vec<String> {
        let (cert, key) = (self.text(&format!("{node}.pem")), self.text(&format!("{node}-key.pem")));
        let (ca, socket) = (self.text("ca.pem"), self.text(&format!("{node}.sock")));
        let usual = [
            ["--cert", &cert],
            ["--key", &key],
            ["--ca", &ca],
            ["--listen", "127.0.0.1:0"],
            ["--socket", &socket],
            ["--probe-interval", "200ms"],
        ];
        let wanted = usual.iter().filter(|[flag, _]| !more.contains(flag)).flatten();
        std::iter::once(&"agent").chain(wanted).chain(more).map(|&arg| arg.to_owned()).collect()
    }

    /// Starts `node`. Issues its certificate if it has none.
    pub(crate) fn start(&self, node: &str, more: &[&str]) -> Agent {
        if !self.path(&format!("{node}.pem")).exists() {
            self.issue(node);
        }
        let args = self.args(node, more);
        Agent::start(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
