//! Whom to connect to now: the server of the URL, or the one that Sentinels name.

use forebay_shared::Failure;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ClientTlsConfig, ErrorKind, RedisError, TlsCertificates, TlsMode};

use crate::failure::failure;
use crate::options::{Options, Sentinels, Server};

impl Options {
    /// The server that is to be asked now.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        // An application may have two libraries for TLS, and have chosen none.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        match &self.server {
            Server::At(url) if self.has_tls => {
                Client::build_with_tls(url.as_str(), self.certificates()?)
                    .map_err(|error| unusable(&error))
            }
            Server::At(url) => Client::open(url.as_str()).map_err(|error| failure(&error)),
            Server::Sentinels(sentinels) => {
                let mut client = self.sentinels(sentinels)?;
                match client.async_get_client().await {
                    Ok(client) => Ok(client),
                    Err(error) => Err(whose(&error, &mut client, &sentinels.service).await),
                }
            }
        }
    }

    fn sentinels(&self, sentinels: &Sentinels) -> Result<SentinelClient, Failure> {
        let Sentinels { at, user, password, have_tls, service, node } = sentinels;
        let builder =
            SentinelClientBuilder::new(at.iter().cloned(), service, SentinelServerType::Master);
        let mut builder =
            builder.map_err(|error| failure(&error))?.set_client_to_redis_db(node.db());
        if self.has_tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(self.certificates()?);
        }
        if *have_tls {
            builder = builder.set_client_to_sentinel_certificates(self.certificates()?);
        }
        let all = [user.as_deref(), password.as_deref(), node.username(), node.password()];
        if let Some(user) = all[0] {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = all[1] {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let Some(user) = all[2] {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = all[3] {
            builder = builder.set_client_to_redis_password(password);
        }
        builder.build().map_err(|error| unusable(&error))
    }

    /// They are read at each connect, so that they can be renewed.
    fn certificates(&self) -> Result<TlsCertificates, Failure> {
        let read = |file: &std::path::PathBuf| {
            let unread =
                |error| Failure::Refused(format!("{} can't be read: {error}", file.display()));
            std::fs::read(file).map_err(unread)
        };
        let root_cert = self.settings.authority.as_ref().map(read).transpose()?;
        let client_tls = match &self.settings.certificate {
            None => None,
            Some((certificate, key)) => {
                Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
        };
        Ok(TlsCertificates { client_tls, root_cert })
    }
}

fn unusable(error: &RedisError) -> Failure {
    Failure::Refused(format!("ca, certificate or key can't be used: {error}"))
}

/// The library does not say whether a Sentinel has refused, or the server that it has named.
async fn whose(error: &RedisError, client: &mut SentinelClient, service: &str) -> Failure {
    if error.kind() == ErrorKind::MasterNameNotFoundBySentinel {
        return Failure::Lost(format!("the Sentinels know no primary of {service} that is up"));
    }
    match client.async_get_sentinel_client().await {
        Ok(_) => failure(error),
        Err(error) => match failure(&error) {
            Failure::Refused(why) => Failure::Refused(format!("a Sentinel refuses: {why}")),
            Failure::Lost(why) => Failure::Lost(format!("no Sentinel answers: {why}")),
            other => other,
        },
    }
}
