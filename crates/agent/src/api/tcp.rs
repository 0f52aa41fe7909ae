//! The TCP port of the API. It is closed unless the settings have it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;

use super::access::{Hosts, Role, Rules, Tokens};
use super::tls::TlsFiles;
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

/// What is read from files, and can be read again.
#[derive(Debug)]
pub(crate) struct TcpAccess {
    pub(super) rules: Arc<Rules>,
    config: TcpConfig,
    tls: RwLock<Option<Arc<ServerConfig>>>,
}

impl TcpPort {
    /// Reads the files, and listens. `names` are names of the node that clients may use.
    pub(crate) async fn bind(config: TcpConfig, names: Vec<String>) -> Result<Self, Failure> {
        // A file of the TCP port cannot be used. What to do: as the message says.
        let refused = |why: String| Failure::new(Status::Config, format_args!("cannot serve HTTP: {why}"));
        let tls = config.tls.as_ref().map(TlsFiles::read).transpose().map_err(refused)?;
        let tokens = config.read_tokens().map_err(refused)?;
        let hosts = Hosts(config.hosts.iter().cloned().chain(names).collect());
        let rules = Arc::new(Rules::new(hosts, config.anonymous, tokens));
        let addr = config.addr;
        // The port is in use, or the address is not one of this machine. What to do: give another
        // one with --http.
        let listener = TcpListener::bind(addr).await.map_err(|error| {
            let message =
                format_args!("cannot serve HTTP at {addr}: {error}; give another address with --http");
            Failure::new(Status::Address, message)
        })?;
        Ok(Self { listener, access: Arc::new(TcpAccess { rules, config, tls: RwLock::new(tls) }) })
    }

    /// The address, with the port that the system chose.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or(self.access.config.addr)
    }

    /// Reads the files again.
    pub(crate) fn access(&self) -> Arc<TcpAccess> {
        Arc::clone(&self.access)
    }
}

impl TcpAccess {
    /// Reads the files again. Open connections keep their certificates. Returns the names of the
    /// settings.
    ///
    /// # Errors
    /// Which file cannot be used, and why. Nothing changes then.
    pub(crate) fn reload(&self) -> Result<Vec<String>, String> {
        let tls = self.config.tls.as_ref().map(TlsFiles::read).transpose()?;
        let tokens = self.config.read_tokens()?;
        let mut reloaded = Vec::new();
        if tls.is_some() {
            reloaded.push("http_cert".to_owned());
            *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
        }
        if self.config.tokens.is_some() {
            reloaded.push("http_tokens".to_owned());
            self.rules.set_tokens(tokens);
        }
        Ok(reloaded)
    }

    /// The present TLS settings. `None` for plain HTTP.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TcpConfig {
    fn read_tokens(&self) -> Result<Tokens, String> {
        self.tokens.as_deref().map_or_else(|| Ok(Tokens::default()), Tokens::read)
    }
}
