//! The arguments with which each command finds its agent.

use std::path::PathBuf;

use clap::Args;

/// Where the agent is, and who asks.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// The agent's control socket [default: `$XDG_RUNTIME_DIR/kinfolk.sock`, or /run/kinfolk.sock]
    #[arg(long, value_name = "PATH", env = "KINFOLK_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// The agent's HTTP port instead of its socket, such as `http://127.0.0.1:8946` or
    /// `https://web-1.example.com:8946`
    #[arg(long, value_name = "URL", env = "KINFOLK_URL")]
    pub(crate) url: Option<String>,
    /// The token for the HTTP port; better in the variable, because other users see the arguments
    #[arg(long, value_name = "TOKEN", env = "KINFOLK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The certificate of the CA that signed the certificate of an https URL
    #[arg(long, value_name = "FILE", env = "KINFOLK_URL_CA")]
    pub(crate) url_ca: Option<PathBuf>,
    /// The name in the certificate of an https URL [default: the host of the URL]
    #[arg(long, value_name = "NAME", env = "KINFOLK_URL_NAME")]
    pub(crate) url_name: Option<String>,
    /// The client's certificate for an https URL
    #[arg(long, value_name = "FILE", env = "KINFOLK_URL_CERT", requires = "url_key")]
    pub(crate) url_cert: Option<PathBuf>,
    /// The key of the client's certificate
    #[arg(long, value_name = "FILE", env = "KINFOLK_URL_KEY", requires = "url_cert")]
    pub(crate) url_key: Option<PathBuf>,
}
