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

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, and why.
    pub(super) fn read(&self) -> Result<Arc<ServerConfig>, String> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| wrong("key", &self.key, &error))?;
        let chain = certificates(&self.cert)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider())
                        // A client without a certificate may have a token.
                        .allow_unauthenticated()
                        .build()
                        .map_err(|error| wrong("client authority", path, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            format!("the certificate {} and its key do not fit: {error}", self.cert.display())
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session takes memory, and clients are few.
        config.session_storage = Arc::new(tokio_rustls::rustls::server::NoServerSessionStorage {});
        Ok(Arc::new(config))
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
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| wrong("authority", path, &error))?;
    }
    Ok(roots)
}

fn wrong(what: &str, path: &Path, error: &impl std::fmt::Display) -> String {
    format!("cannot use the {what} {}: {error}; give a PEM file that you may read", path.display())
}
