//! The export to a collector with TLS on this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, registry};

use super::collector::Collector;
use super::{Tracing, exporter};
use crate::api::provider;

/// More than any step takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// An authority, and a folder with its certificate `ca.pem` and those that it issued.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// Issues a certificate for this host name: `NAME.pem` and `NAME-key.pem`.
    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}-key.pem"), &key.serialize_pem());
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }
}

/// A collector at `localhost` that answers each request with `status`. It sends the head of each
/// request, in lower case, and the length of its body.
async fn collect(
    authority: &Authority,
    asks_for_client: bool,
    status: u16,
) -> (u16, mpsc::Receiver<(String, usize)>) {
    authority.issue("localhost");
    let chain = crate::api::certificates(authority.path("localhost.pem").as_ref()).unwrap();
    let key = PrivateKeyDer::from_pem_file(authority.path("localhost-key.pem")).unwrap();
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let builder = if asks_for_client {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (requests, received) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A handshake that fails is the client's to tell.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
            let (head, len) = loop {
                let len = stream.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..len]);
                let text = String::from_utf8_lossy(&bytes).to_lowercase();
                let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                let length: usize = length.parse().unwrap();
                if bytes.len() >= head.len() + 4 + length {
                    break (head.to_owned(), length);
                }
            };
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _test_has_ended = requests.send((head, len)).await;
        }
    });
    (port, received)
}

/// The export with these variables.
fn start(variables: &[(&str, String)]) -> Tracing {
    let get = |name: &str| variables.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone());
    let collector = Collector::of(get).unwrap().unwrap();
    Tracing::exporting_to(exporter(collector, &tokio::runtime::Handle::current()).unwrap(), "a")
}

/// Ends one span, and sends it.
async fn export_one(tracing: &Tracing) {
    let subscriber = registry().with(tracing.filtered_layer());
    tracing::subscriber::with_default(subscriber, || {
        let trace = "0123456789abcdef0123456789abcdef";
        tracing::debug_span!(target: "kinfolk_transport", "request", peer = %"b", traffic = %"Probe", trace = %trace);
    });
    let provider = tracing.provider.clone();
    // It waits for the runtime of this thread.
    let _failed_exports_are_logged =
        tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap();
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const CA: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

#[tokio::test]
async fn spans_reach_a_collector_with_tls_and_a_token() {
    let authority = Authority::new();
    let (port, mut received) = collect(&authority, false, 200).await;
    authority.write("token", "first\n");
    let tracing = start(&[
        (ENDPOINT, format!("https://localhost:{port}")),
        (CA, authority.path("ca.pem")),
        ("KINFOLK_OTLP_TOKEN_FILE", authority.path("token")),
    ]);
    export_one(&tracing).await;
    let (head, body) = received.recv().await.unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n") && body > 0, "{head}");
    assert!(head.contains(&format!("host: localhost:{port}")), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    assert!(head.contains("authorization: bearer first"), "{head}");
    // A new token needs no restart.
    authority.write("token", "second\n");
    export_one(&tracing).await;
    assert!(received.recv().await.unwrap().0.contains("authorization: bearer second"));
    tracing.stop().await;
}

#[tokio::test]
async fn collector_can_ask_for_a_client_certificate() {
    let authority = Authority::new();
    let (port, mut received) = collect(&authority, true, 200).await;
    authority.issue("agent");
    let tracing = start(&[
        (ENDPOINT, format!("https://localhost:{port}/base")),
        (CA, authority.path("ca.pem")),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", authority.path("agent.pem")),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", authority.path("agent-key.pem")),
    ]);
    export_one(&tracing).await;
    assert!(received.recv().await.unwrap().0.starts_with("post /base/v1/traces "));
    tracing.stop().await;
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What one request to this address logs.
async fn cause(variables: &[(&str, String)]) -> String {
    use opentelemetry_http::HttpClient as _;
    let get = |name: &str| variables.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone());
    let collector = Collector::of(get).unwrap().unwrap();
    let request = || opentelemetry_http::Request::post(&collector.url).body("x".into()).unwrap();
    let client = super::client::OnRuntime::new(collector.clone(), tokio::runtime::Handle::current());
    let log = Log::default();
    let lines = log.clone();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || lines.clone());
    let only_ours = tracing_subscriber::filter::filter_fn(|metadata| metadata.target().contains("otel"));
    let _here = tracing::subscriber::set_default(registry().with(layer.with_filter(only_ours)));
    for _ in 0..2 {
        let _failed = tokio::time::timeout(DEADLINE, client.send_bytes(request())).await.unwrap();
    }
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn each_failure_is_logged_once_with_its_cause() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (port, _received) = collect(&authority, false, 200).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let trusted = (CA, authority.path("ca.pem"));
    let (refusing, _received_too) = collect(&authority, false, 401).await;
    for (variables, named) in [
        (
            vec![(ENDPOINT, format!("https://localhost:{port}")), (CA, other.path("ca.pem"))],
            "invalid peer certificate",
        ),
        (vec![(ENDPOINT, format!("https://127.0.0.1:{port}")), trusted.clone()], "not valid for name"),
        (vec![(ENDPOINT, format!("https://localhost:{refusing}")), trusted], "status 401; check the headers"),
        (vec![(ENDPOINT, format!("http://{closed}"))], "check the address, and that it runs"),
        (vec![(ENDPOINT, format!("http://127.0.0.1:{port}"))], "check that it speaks HTTP"),
    ] {
        let logged = cause(&variables).await;
        assert_eq!(logged.lines().count(), 1, "{logged}");
        assert!(logged.contains("cannot export spans") && logged.contains(named), "{named}: {logged}");
    }
}
