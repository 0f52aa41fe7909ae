//! Where the agent is, and a connection to it.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::Authority;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};

use crate::api::{certificates, default_socket, provider, roots};
use crate::cli::ConnectArgs;
use crate::exit::{Failure, Status};

/// The time limit of a connection over TCP, with its TLS handshake.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The port of a URL without one.
const PORT: u16 = 8_946;

/// Where the agent is.
pub(super) enum Target {
    /// Its Unix socket.
    Socket(PathBuf),
    /// Its HTTP port.
    Tcp { authority: Authority, tls: Option<(TlsConnector, ServerName<'static>)> },
}

/// A connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp { authority, .. } => write!(f, "{authority}"),
        }
    }
}

impl Target {
    /// The agent that the arguments name.
    pub(super) fn of(args: &ConnectArgs) -> Result<Self, Failure> {
        let Some(url) = &args.url else {
            return Ok(Self::Socket(args.socket.clone().unwrap_or_else(default_socket)));
        };
        // The URL has another form, or lacks what https needs. What to do: as the message says.
        let wrong =
            |why: String| Failure::new(Status::Usage, format_args!("cannot use the URL {url}: {why}"));
        let form =
            || wrong("give one such as http://127.0.0.1:8946 or https://web-1.example.com:8946".to_owned());
        let uri: Uri = url.parse().map_err(|_| form())?;
        let authority = uri.authority().filter(|_| matches!(uri.path(), "" | "/")).ok_or_else(form)?.clone();
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => Some(tls(args, &authority).map_err(wrong)?),
            _ => return Err(form()),
        };
        Ok(Self::Tcp { authority, tls })
    }

    /// The value of the `Host` header.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Socket(_) => "localhost".to_owned(),
            Self::Tcp { authority, tls: None } => authority.as_str().to_owned(),
            // The name in the certificate, which the agent knows.
            Self::Tcp { tls: Some((_, name)), .. } => name.to_str().into_owned(),
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        match self {
            Self::Socket(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(no_socket(path, &error)),
            },
            Self::Tcp { authority, tls } => {
                let connected = timeout(CONNECT_LIMIT, connect_tcp(authority, tls.as_ref())).await;
                let result = connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
                // Nothing listens there, or the TLS handshake failed. What to do: check the URL,
                // and that the agent has `http`; for https check --url-ca and --url-name.
                result.map_err(|error| {
                    let advice = "check the URL, and that the agent runs with --http";
                    let message = format_args!("no agent answers at {authority} ({error}); {advice}");
                    Failure::new(Status::Socket, message)
                })
            }
        }
    }
}

async fn connect_tcp(
    authority: &Authority,
    tls: Option<&(TlsConnector, ServerName<'static>)>,
) -> std::io::Result<Box<dyn Stream>> {
    let port = authority.port_u16().unwrap_or(PORT);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port)).await?;
    Ok(match tls {
        None => Box::new(stream),
        Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
    })
}

fn no_socket(path: &std::path::Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    let text = if error.kind() == ErrorKind::PermissionDenied {
        // The socket has mode 0600 and belongs to another user. What to do: run the command as the
        // user of the agent, or as root.
        format!("cannot connect to {path}: permission denied; run this as the user of the agent, or as root")
    } else {
        // Nothing listens at the path. What to do: start an agent, or give the path of its socket
        // with --socket or KINFOLK_SOCKET.
        let advice = "start one with `kinfolk agent`, or give its socket with --socket";
        format!("no agent answers at {path} ({error}); {advice}")
    };
    Failure::new(Status::Socket, text)
}

/// TLS to an agent.
fn tls(args: &ConnectArgs, authority: &Authority) -> Result<(TlsConnector, ServerName<'static>), String> {
    let Some(ca) = &args.url_ca else {
        return Err("an https URL needs the certificate of its CA; give it with --url-ca".to_owned());
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = args.url_name.clone().unwrap_or(host);
    let name = ServerName::try_from(name.clone()).map_err(|_| {
        format!("{name:?} is not the name of a host; give the one in the certificate as --url-name")
    })?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(ca)?);
    let config = match (&args.url_cert, &args.url_key) {
        (Some(cert), Some(key)) => {
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                format!("cannot read the key {}: {error}; check --url-key", key.display())
            })?;
            builder.with_client_auth_cert(certificates(cert)?, key_der).map_err(|error| {
                format!("the certificate {} and its key do not fit: {error}", cert.display())
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok((TlsConnector::from(Arc::new(config)), name))
}
