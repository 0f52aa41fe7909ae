//! TLS of the TCP port: the certificate, and the authorities of client certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// The files of the TLS settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Authorities whose certificates clients may show.
    pub(crate) client_ca: Option<PathBuf>,
}

/// The TLS settings with the certificates of their files, which tell whether a file has changed.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Tls {
    /// Whether both have the same certificates and authorities.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.chain == other.chain && self.authorities == other.authorities
    }
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, and why.
    pub(super) fn read(&self) -> Result<Tls, String> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| wrong("key", &self.key, &error))?;
        let chain = certificates(&self.cert)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let authorities = self.client_ca.as_deref().map_or_else(|| Ok(Vec::new()), certificates)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(roots_of(path, &authorities)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    // A client without a certificate may have a token.
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| wrong("client authority", path, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain.clone(), key).map_err(|error| {
            format!("the certificate {} and its key do not fit: {error}", self.cert.display())
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session takes memory, and clients are few.
        config.session_storage = Arc::new(tokio_rustls::rustls::server::NoServerSessionStorage {});
        Ok(Tls { config: Arc::new(config), chain, authorities })
    }
}

/// The cryptography, which is also that of the members' connections.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a file in PEM.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => {
            Err(format!("there is no certificate in {}; give a PEM file", path.display()))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(wrong("certificate", path, &error)),
    }
}

/// The authorities of a file in PEM.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, String> {
    roots_of(path, &certificates(path)?)
}

fn roots_of(path: &Path, authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate.clone()).map_err(|error| wrong("authority", path, &error))?;
    }
    Ok(roots)
}

fn wrong(what: &str, path: &Path, error: &impl std::fmt::Display) -> String {
    format!("cannot use the {what} {}: {error}; give a PEM file that you may read", path.display())
}
