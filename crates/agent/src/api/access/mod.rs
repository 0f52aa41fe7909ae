//! Who may do what. The Unix socket admits its owner alone, so its clients may do everything. Over
//! TCP the role of a client comes from its token or its certificate.

mod role;
mod site;
mod tokens;

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::ParsedCertificate;

pub(crate) use role::Role;
pub(crate) use site::Hosts;
pub(crate) use tokens::Tokens;

use super::problem::{Code, Problem};
use super::state::{AppState, add};

/// The rules of the TCP port. A reload replaces them, also for the clients that are connected.
#[derive(Debug)]
pub(crate) struct Rules(RwLock<Arc<Allowed>>);

/// Who may use the TCP port.
#[derive(Debug)]
pub(crate) struct Allowed {
    pub(crate) hosts: Hosts,
    /// The role of a client without a token and without a certificate. `None`: it needs one.
    pub(crate) anonymous: Option<Role>,
    pub(crate) tokens: Tokens,
}

/// How a client is connected. Each request carries it.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    /// Through the Unix socket.
    Socket,
    /// Through the TCP port.
    Tcp {
        rules: Arc<Rules>,
        /// The client's certificate, which an authority of `http_client_ca` signed.
        certificate: Option<CertificateDer<'static>>,
    },
}

impl Client {
    const fn name(&self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Tcp { .. } => "http",
        }
    }
}

impl Rules {
    pub(crate) fn new(allowed: Allowed) -> Self {
        Self(RwLock::new(Arc::new(allowed)))
    }

    /// Replaces the rules. Returns whether the tokens are others than before.
    pub(crate) fn replace(&self, allowed: Allowed) -> bool {
        let allowed = Arc::new(allowed);
        let before = std::mem::replace(
            &mut *self.0.write().unwrap_or_else(PoisonError::into_inner),
            Arc::clone(&allowed),
        );
        before.tokens != allowed.tokens
    }

    fn now(&self) -> Arc<Allowed> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Allowed {
    /// The role of a client.
    fn role(&self, headers: &HeaderMap, certificate: Option<&CertificateDer<'_>>) -> Result<Role, Problem> {
        let tokens = &self.tokens;
        if let Some(given) = headers.get(AUTHORIZATION) {
            // A wrong token is refused also where none is needed: the client relies on its role.
            let text = given.to_str().unwrap_or_default();
            let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let role = token.and_then(|(_, token)| tokens.role_of(token.trim()));
            return role.ok_or_else(|| {
                let detail = "the agent does not know this token; give one of its file `http_tokens`, as \
                              `authorization: Bearer TOKEN`";
                Problem::new(Code::Unauthenticated, detail)
            });
        }
        if let Some(role) = certificate.and_then(|certificate| role_of_certificate(tokens, certificate)) {
            return Ok(role);
        }
        self.anonymous.ok_or_else(|| {
            let by = if tokens.has_tokens() {
                "a token of its file `http_tokens`"
            } else {
                "a client certificate"
            };
            Problem::new(Code::Unauthenticated, format!("this agent serves only known clients; give {by}"))
        })
    }
}

/// The highest role of the names in a certificate.
fn role_of_certificate(tokens: &Tokens, certificate: &CertificateDer<'_>) -> Option<Role> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let names = tokens.names().iter();
    names.filter(|(name, _)| verify_server_name(&certificate, name).is_ok()).map(|(_, role)| *role).max()
}

/// Refuses requests of other sites. It is the first step for every request.
pub(super) async fn check_site(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let checked = match client(&request) {
        Client::Socket => site::check_origin(headers),
        Client::Tcp { rules, .. } => {
            let checked = site::check_host(&rules.now().hosts, request.uri(), headers);
            checked.and_then(|()| site::check_origin(headers))
        }
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => refuse(&state, problem),
    }
}

/// Refuses requests of clients without this role.
pub(super) async fn require(state: &AppState, role: Role, request: Request, next: Next) -> Response {
    let client = client(&request);
    let found = match &client {
        Client::Socket => Ok(Role::Admin),
        Client::Tcp { rules, certificate } => rules.now().role(request.headers(), certificate.as_ref()),
    };
    match found {
        Ok(found) if found >= role => {
            if role == Role::Admin {
                // A client makes the agent leave, forget or revoke a member, or reload. What to
                // do: nothing; if nobody of yours did it, replace the tokens of --http-tokens.
                tracing::info!(
                    method = %request.method(),
                    path = request.uri().path(),
                    client = client.name(),
                    "a client of the API made a request that needs the role admin"
                );
            }
            next.run(request).await
        }
        Ok(found) => {
            let detail = format!(
                "this needs the role {role}, and the client has the role {found}; give another token"
            );
            refuse(state, Problem::new(Code::Forbidden, detail))
        }
        Err(problem) => refuse(state, problem),
    }
}

fn client(request: &Request) -> Client {
    request.extensions().get::<Client>().cloned().expect("the server marks each request with its client")
}

fn refuse(state: &AppState, problem: Problem) -> Response {
    add(&state.counters.refused, 1);
    problem.into_response()
}
