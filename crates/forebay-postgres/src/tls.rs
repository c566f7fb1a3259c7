//! TLS whose certificates are checked.

use std::path::Path;
use std::sync::Arc;

use forebay_shared::Failure;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Trusts this authority, or those that the machine trusts.
pub(crate) fn tls(authority: Option<&Path>) -> Result<MakeRustlsConnect, Failure> {
    let mut roots = RootCertStore::empty();
    let found: Vec<_> =
        match authority {
            Some(file) => CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(
                |error| Failure::Refused(format!("sslrootcert={}: {error}", file.display())),
            )?,
            None => rustls_native_certs::load_native_certs().certs,
        };
    roots.add_parsable_certificates(found);
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Refused(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
