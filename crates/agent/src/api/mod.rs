//! The API of the agent: HTTP/JSON over the Unix socket and, if the settings say so, over TCP.
//!
//! `router` has the paths, `handlers/` one file for each resource, `views/` what they send and
//! receive, and `access/` who may do what. `events/` keeps the latest events for all clients.
//! `server` accepts clients within its limits.

mod access;
mod chunks;
mod events;
mod extract;
mod filter;
mod handlers;
mod limits;
mod openapi;
mod problem;
mod reload;
mod reports;
mod router;
mod server;
mod socket;
mod state;
mod tcp;
mod tls;
mod user_event;
pub(crate) mod views;

use std::path::PathBuf;

pub(crate) use access::Role;
pub(crate) use problem::{Code, Problem};
pub(crate) use reload::{Reload, ReloadRequests, Reloaded};
pub(crate) use reports::Reports;
pub(crate) use server::Server;
pub(crate) use socket::ControlSocket;
pub(crate) use state::AppState;
pub(crate) use tcp::{TcpAccess, TcpConfig, TcpFiles, TcpPort};
pub(crate) use tls::{TlsFiles, certificates, provider, roots};

/// The path of the socket without a setting: in the user's runtime folder, or in `/run`, where the
/// system's services have theirs.
pub(crate) fn default_socket() -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    folder.map_or_else(|| PathBuf::from("/run"), PathBuf::from).join("kinfolk.sock")
}
