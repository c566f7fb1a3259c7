//! TLS whose certificates are checked.

use std::path::Path;
use std::sync::Arc;

use forebay_shared::{Failure, Settings};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto};

/// Trusts the authority that is named, or those that the machine trusts. Files are read at each connect, so that they
/// can be renewed.
pub(crate) fn tls(settings: &Settings) -> Result<MakeRustlsConnect, Failure> {
    let mut roots = RootCertStore::empty();
    let found = match &settings.authority {
        Some(file) => certificates(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?
        .with_root_certificates(roots);
    let config = match &settings.certificate {
        None => config.with_no_client_auth(),
        Some((certificate, file)) => {
            let key = PrivateKeyDer::from_pem_file(file).map_err(|error| unread(file, &error))?;
            let config = config.with_client_auth_cert(certificates(certificate)?, key);
            config.map_err(|error| refused(&error))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    found.map_err(|error| unread(file, &error))
}

fn unread(file: &Path, error: &pem::Error) -> Failure {
    Failure::Refused(format!("{} can't be read: {error}", file.display()))
}

fn refused(error: &rustls::Error) -> Failure {
    Failure::Refused(format!("TLS fails: {error}"))
}
