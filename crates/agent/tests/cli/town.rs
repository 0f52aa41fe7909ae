//! A cluster's folder: an authority and certificates, made by the program itself.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::process::{Agent, run};

/// A folder with an authority in it.
pub(crate) struct Town {
    folder: TempDir,
}

impl Town {
    pub(crate) fn new() -> Self {
        let town = Self { folder: tempfile::tempdir().unwrap() };
        run(&["ca", "init", &town.text("."), "--cluster", "town"]).must_succeed();
        town
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A certificate for `node`.
    pub(crate) fn issue(&self, node: &str) {
        run(&["ca", "issue", &self.text("."), node]).must_succeed();
    }

    /// The arguments with which `node` starts on a port that the system chooses. `more` goes before what is usual.
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

    /// Starts `node`, for which a certificate is issued if there is none.
    pub(crate) fn start(&self, node: &str, more: &[&str]) -> Agent {
        if !self.path(&format!("{node}.pem")).exists() {
            self.issue(node);
        }
        let args = self.args(node, more);
        Agent::start(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
