//! The collector that spans go to, from the variables of OpenTelemetry: its address, its TLS, and
//! the headers that it wants.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::api::{certificates, provider, roots};

/// The variables with the address. The first one that is set counts.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// What the address of [`ENDPOINT`] goes on with.
const PATH: &str = "/v1/traces";
/// The CA of the collector, the certificate of the agent, and its key.
const CA: Variable =
    Variable { traces: "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", all: "OTEL_EXPORTER_OTLP_CERTIFICATE" };
const CLIENT_CERT: Variable = Variable {
    traces: "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    all: "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
};
const CLIENT_KEY: Variable =
    Variable { traces: "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", all: "OTEL_EXPORTER_OTLP_CLIENT_KEY" };
const HEADERS: Variable =
    Variable { traces: "OTEL_EXPORTER_OTLP_TRACES_HEADERS", all: "OTEL_EXPORTER_OTLP_HEADERS" };
/// Our own variable: a file whose token each request carries. OpenTelemetry has none for that.
const TOKEN_FILE: &str = "KINFOLK_OTLP_TOKEN_FILE";

/// Where systems keep the CAs that they trust, as one file.
const SYSTEM_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// A variable for spans alone, and the one for all that a program exports.
struct Variable {
    traces: &'static str,
    all: &'static str,
}

/// The value of a variable with its name.
type Given = (&'static str, String);

impl Variable {
    /// The one that is set, and not empty.
    fn given(&self, get: &impl Fn(&str) -> Option<String>) -> Option<Given> {
        [self.traces, self.all].into_iter().find_map(|name| Some((name, value(get, name)?)))
    }
}

fn value(get: &impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    get(name).filter(|value| !value.is_empty())
}

/// The collector.
#[derive(Clone)]
pub(super) struct Collector {
    /// The whole address for spans.
    pub(super) url: Uri,
    /// `None` for plain HTTP.
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
    /// A file with a token for the header `authorization`. It is read for each request, because
    /// such tokens are replaced while their users run.
    pub(super) token_file: Option<PathBuf>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({})", self.url)
    }
}

impl Collector {
    /// The collector that the variables name. `get` reads a variable. `None` without an address.
    ///
    /// # Errors
    /// Which variable cannot be used, why, and what to do.
    pub(super) fn of(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let (name, given) = match (value(&get, TRACES_ENDPOINT), value(&get, ENDPOINT)) {
            (Some(url), _) => (TRACES_ENDPOINT, url),
            (None, Some(url)) => (ENDPOINT, url),
            (None, None) => return Ok(None),
        };
        let whole =
            if name == ENDPOINT { format!("{}{PATH}", given.trim_end_matches('/')) } else { given.clone() };
        let wrong = || {
            format!(
                "{name} is {given:?}; give the address of a collector, such as http://127.0.0.1:4318 or \
                 https://collector.example.com:4318"
            )
        };
        let url: Uri = whole.parse().map_err(|_| wrong())?;
        let host = url.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        check_headers(HEADERS.given(&get))?;
        let files = [CA.given(&get), CLIENT_CERT.given(&get), CLIENT_KEY.given(&get)];
        let tls = match (url.scheme_str(), files) {
            (Some("https"), files) => Some(tls(host, files)?),
            (Some("http"), [None, None, None]) => None,
            (Some("http"), files) => {
                let (variable, _) = files.into_iter().flatten().next().expect("one of them is set");
                return Err(format!(
                    "{variable} is set, and {name} is {given:?}, which uses no TLS; begin it with https://, or unset \
                     {variable}"
                ));
            }
            _ => return Err(wrong()),
        };
        let token_file = value(&get, TOKEN_FILE).map(PathBuf::from);
        let collector = Self { url, tls, token_file };
        // A file that cannot be read now is a mistake; later it may be one that is being replaced.
        collector.token()?;
        Ok(Some(collector))
    }

    /// The header `authorization`, if there is a file with a token. Reads the file.
    ///
    /// # Errors
    /// The file cannot be read, or has no token. The text has no part of a token.
    pub(super) fn token(&self) -> Result<Option<HeaderValue>, String> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("cannot read the token {shown} of {TOKEN_FILE}: {error}; check the path and its owner")
        })?;
        let token = text.trim();
        let header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty());
        let mut header = header.ok_or_else(|| {
            format!("the file {shown} of {TOKEN_FILE} has no token; write one line with it")
        })?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// Checks the headers. The library that sends them leaves out wrong ones without a word.
fn check_headers(given: Option<Given>) -> Result<(), String> {
    let Some((name, value)) = given else { return Ok(()) };
    for (number, pair) in (1..).zip(value.split_terminator(',')) {
        let fits = pair.split_once('=').is_some_and(|(header, value)| {
            HeaderName::try_from(header.trim()).is_ok() && HeaderValue::from_str(value.trim()).is_ok()
        });
        if !fits {
            // The text of the pair may be a secret.
            return Err(format!(
                "{name}: the header number {number} is wrong; give NAME=VALUE, several separated by commas, such as \
                 authorization=Bearer%20TOKEN"
            ));
        }
    }
    Ok(())
}

/// TLS to the collector at `host`, with these files: its CA, and the agent's certificate and key.
fn tls(
    host: &str,
    [ca, cert, key]: [Option<Given>; 3],
) -> Result<(TlsConnector, ServerName<'static>), String> {
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name)
        .map_err(|_| format!("{host:?} is not the name of a host; correct the address of the collector"))?;
    let trusted = match ca {
        Some((variable, path)) => roots(path.as_ref()).map_err(|why| format!("{variable}: {why}"))?,
        None => system_roots(&SYSTEM_FILES)?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(trusted);
    let mut config = match (cert, key) {
        (None, None) => builder.with_no_client_auth(),
        (Some((variable, cert)), Some((key_variable, key))) => {
            let chain = certificates(cert.as_ref()).map_err(|why| format!("{variable}: {why}"))?;
            let key_der = PrivateKeyDer::from_pem_file(&key).map_err(|error| {
                format!(
                    "{key_variable}: cannot read the key {key}: {error}; give a PEM file that you may read"
                )
            })?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                format!("{variable}: the certificate {cert} and its key do not fit: {error}")
            })?
        }
        (Some((variable, _)), None) | (None, Some((variable, _))) => {
            return Err(format!(
                "{variable} is set alone; a client certificate needs {} and {}",
                CLIENT_CERT.all, CLIENT_KEY.all
            ));
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// The CAs that the system trusts, from the first of these files that exists. The agent does not
/// use `SSL_CERT_FILE`, which it sets for its own TLS library, as
/// [`trust_store`](crate::trust_store) says.
fn system_roots(files: &[&str]) -> Result<RootCertStore, String> {
    let mut trusted = RootCertStore::empty();
    let found = files.iter().find_map(|file| CertificateDer::pem_file_iter(file).ok());
    // A store of hundreds may have one that the library does not understand.
    trusted.add_parsable_certificates(found.into_iter().flatten().flatten());
    if trusted.is_empty() {
        return Err(format!(
            "this system has no trusted CAs at {}; give the CA of the collector with {}",
            files.join(", "),
            CA.all
        ));
    }
    Ok(trusted)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The collector of these variables.
    fn of(variables: &[(&str, &str)]) -> Result<Option<Collector>, String> {
        let get = |name: &str| {
            variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
        };
        Collector::of(get)
    }

    fn url(variables: &[(&str, &str)]) -> String {
        of(variables).unwrap().unwrap().url.to_string()
    }

    #[test]
    fn address_for_spans_outranks_the_one_for_all() {
        assert!(of(&[]).unwrap().is_none() && of(&[(ENDPOINT, "")]).unwrap().is_none());
        assert_eq!(url(&[(ENDPOINT, "http://127.0.0.1:4318")]), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url(&[(ENDPOINT, "http://c:1/base/")]), "http://c:1/base/v1/traces");
        assert_eq!(url(&[(ENDPOINT, "http://c:1"), (TRACES_ENDPOINT, "http://d:2/x")]), "http://d:2/x");
    }

    #[test]
    fn wrong_variable_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("empty"), " \n").unwrap();
        let (missing, empty) = (path("missing"), path("empty"));
        let (http, https) = ((ENDPOINT, "http://c:1"), (ENDPOINT, "https://c:1"));
        let refused = |variables: &[(&str, &str)]| of(variables).unwrap_err();
        for wrong in ["127.0.0.1:4318", "ftp://c:1", "http://", "/v1", "a b"] {
            let text = refused(&[(ENDPOINT, wrong)]);
            assert!(
                text.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is ") && text.contains("https://"),
                "{text}"
            );
        }
        for (variables, named) in [
            (&[http, (CA.all, "x")][..], "uses no TLS"),
            (&[https, (CA.all, &missing)], &missing),
            (&[https, (CA.traces, &empty)], "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: there is no certificate"),
            (&[https, (CA.all, &empty), (CLIENT_KEY.all, "x")], "there is no certificate"),
            (&[http, (HEADERS.all, "a=b,secret")], "the header number 2 is wrong"),
            (&[http, (HEADERS.traces, "a b=c")], "OTEL_EXPORTER_OTLP_TRACES_HEADERS: the header number 1"),
            (&[http, (TOKEN_FILE, &missing)], "cannot read the token"),
            (&[http, (TOKEN_FILE, &empty)], "has no token"),
        ] {
            let text = refused(variables);
            assert!(text.contains(named) && !text.contains("secret"), "{named}: {text}");
        }
        assert!(of(&[http, (HEADERS.all, "a=b, c=d%20e,")]).is_ok());
    }

    #[test]
    fn system_without_trusted_cas_is_told() {
        let refused = system_roots(&["/no/such/file"]).unwrap_err();
        assert!(
            refused.contains("/no/such/file") && refused.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"),
            "{refused}"
        );
        let folder = tempfile::tempdir().unwrap();
        let ca = kinfolk::ClusterCa::create(&"test".parse().unwrap()).unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, ca.cert_pem()).unwrap();
        assert_eq!(system_roots(&["/no/such/file", path.to_str().unwrap()]).unwrap().len(), 1);
    }
}
