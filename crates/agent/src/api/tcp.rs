//! The TCP port of the API. It is closed unless the settings have it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;

use super::access::{Allowed, Hosts, Role, Rules, Tokens};
use super::tls::{Tls, TlsFiles};
use crate::exit::{Failure, Status};

/// The settings of the TCP port, checked against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TcpConfig {
    pub(crate) addr: SocketAddr,
    /// `None` is plain HTTP, which is for loopback addresses alone.
    pub(crate) tls: Option<TlsFiles>,
    /// The file with the tokens.
    pub(crate) tokens: Option<PathBuf>,
    /// The role of a client without a token and without a certificate.
    pub(crate) anonymous: Option<Role>,
    /// Names of this host that clients use, besides that of the certificate.
    pub(crate) hosts: Vec<String>,
}

/// The open TCP port.
#[derive(Debug)]
pub(crate) struct TcpPort {
    pub(super) listener: TcpListener,
    pub(super) access: Arc<TcpAccess>,
}

/// Who may use the port, and its TLS. A reload replaces both.
#[derive(Debug)]
pub(crate) struct TcpAccess {
    pub(super) rules: Arc<Rules>,
    /// The names of the node, which clients may use.
    names: Vec<String>,
    tls: RwLock<Option<Tls>>,
}

/// The settings of the port with what their files hold.
#[derive(Debug)]
pub(crate) struct TcpFiles {
    config: TcpConfig,
    tls: Option<Tls>,
    tokens: Tokens,
}

impl TcpPort {
    /// Reads the files, and listens. `names` are names of the node that clients may use.
    pub(crate) async fn bind(config: TcpConfig, names: Vec<String>) -> Result<Self, Failure> {
        let addr = config.addr;
        // A file of the TCP port cannot be used. What to do: as the message says.
        let files = config
            .read()
            .map_err(|why| Failure::new(Status::Config, format_args!("cannot serve HTTP: {why}")))?;
        // The port is in use, or the address is not one of this machine. What to do: give another
        // one with --http.
        let listener = TcpListener::bind(addr).await.map_err(|error| {
            let message =
                format_args!("cannot serve HTTP at {addr}: {error}; give another address with --http");
            Failure::new(Status::Address, message)
        })?;
        Ok(Self { listener, access: Arc::new(TcpAccess::new(files, names)) })
    }

    /// The address, with the port that the system chose.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Who may use the port.
    pub(crate) fn access(&self) -> Arc<TcpAccess> {
        Arc::clone(&self.access)
    }
}

impl TcpAccess {
    fn new(TcpFiles { config, tls, tokens }: TcpFiles, names: Vec<String>) -> Self {
        let rules = Arc::new(Rules::new(allowed(config, &names, tokens)));
        Self { rules, names, tls: RwLock::new(tls) }
    }

    /// Uses other settings, or other contents of the same files. Open connections keep their
    /// certificates. Returns the settings whose files have other contents than before.
    pub(crate) fn replace(&self, TcpFiles { config, tls, tokens }: TcpFiles) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if self.rules.replace(allowed(config, &self.names, tokens)) {
            changed.push("http_tokens");
        }
        let mut present = self.tls.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = match (&*present, &tls) {
            (None, None) => true,
            (Some(before), Some(after)) => before.is_same(after),
            _ => false,
        };
        if !is_same {
            changed.push("http_cert");
        }
        *present = tls;
        changed
    }

    /// The present TLS settings. `None` for plain HTTP.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        let present = self.tls.read().unwrap_or_else(PoisonError::into_inner);
        present.as_ref().map(|tls| Arc::clone(&tls.config))
    }
}

/// Who may use the port by these settings. `names` are names of the node.
fn allowed(config: TcpConfig, names: &[String], tokens: Tokens) -> Allowed {
    let hosts = Hosts(config.hosts.into_iter().chain(names.iter().cloned()).collect());
    Allowed { hosts, anonymous: config.anonymous, tokens }
}

impl TcpConfig {
    /// Reads the files of the settings.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(crate) fn read(self) -> Result<TcpFiles, String> {
        let tls = self.tls.as_ref().map(TlsFiles::read).transpose()?;
        let tokens = self.tokens.as_deref().map_or_else(|| Ok(Tokens::default()), Tokens::read)?;
        Ok(TcpFiles { config: self, tls, tokens })
    }
}
