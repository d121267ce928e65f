//! Asking auth servers what a client may do.

mod authorizations;
mod form;

use std::hash::{BuildHasher, RandomState};

use nsq_api::{HttpAnswer, HttpClient, HttpRequest, HttpUrl, RequestError};
use nsq_net::{TlsClient, TlsClientFiles, TlsError};
use serde_json::Value;
use tokio::sync::Semaphore;

pub(crate) use self::authorizations::Authorizations;
use self::authorizations::InvalidAnswer;
use crate::options::{InvalidOptions, Options};

/// A longer answer is an error.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// A longer secret is of no use; a URL could not hold it.
const SECRET_BYTES_MAX: usize = 64 << 10;
/// How many clients are asked about at once; each takes an open file.
const QUERIES_MAX: usize = 128;

/// The auth servers, of which each knows all clients.
#[derive(Debug)]
pub(crate) struct AuthServers {
    urls: Vec<HttpUrl>,
    by_post: bool,
    http: HttpClient,
    permits: Semaphore,
}

/// What a client says of itself and what is seen of it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Without port; empty on a unix socket.
    pub(crate) remote_ip: String,
    pub(crate) is_tls: bool,
    /// From its certificate; empty without one.
    pub(crate) common_name: String,
    pub(crate) secret: Secret,
}

/// What a client sent with AUTH. It is shown nowhere.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// Why one auth server was of no use. Nothing of what it said is repeated: it may hold the secret.
#[derive(Debug, thiserror::Error)]
enum QueryError {
    #[error("{0}")]
    Request(#[from] RequestError),
    #[error("got response {0}")]
    Status(u16),
    #[error("got response 403 without a port for HTTPS")]
    NoHttpsPort,
    #[error("unusable response: {0}")]
    Invalid(#[from] InvalidAnswer),
}

impl AuthServers {
    /// The servers that the options name. None without any.
    pub(crate) fn of(options: &Options) -> Result<Option<Self>, AuthSetupError> {
        let urls = options.auth_urls()?;
        if urls.is_empty() && options.tls_root_ca_file.is_empty() {
            return Ok(None);
        }
        let files = TlsClientFiles {
            authority: Some(&options.tls_root_ca_file).filter(|p| !p.is_empty()).map(Into::into),
            own: None,
            min_version: options.tls().version(),
            skip_verification: false,
        };
        let tls = match TlsClient::load(&files) {
            Ok(tls) => Some(tls),
            // A system that trusts nobody can still ask over HTTP.
            Err(TlsError::System(_)) if !urls.iter().any(HttpUrl::is_https) => None,
            Err(error) => return Err(error.into()),
        };
        // Without servers it was only seen whether the file is good, as Go NSQ does.
        if urls.is_empty() {
            return Ok(None);
        }
        let http = HttpClient {
            connect_timeout: options.http_client_connect_timeout,
            request_timeout: options.http_client_request_timeout,
            max_body_bytes: ANSWER_BYTES_MAX,
            tls,
            authorization: None,
        };
        let by_post = options.auth_http_request_method == "post";
        Ok(Some(Self { urls, by_post, http, permits: Semaphore::new(QUERIES_MAX) }))
    }

    /// How servers of HTTPS are spoken to; what it was read from can be read again.
    pub(crate) fn tls(&self) -> Option<&TlsClient> {
        self.http.tls.as_ref()
    }

    /// Asks one server after the other, from a random one on, until one gives a usable answer. The
    /// error is for the log.
    pub(crate) async fn ask(&self, claim: &Claim) -> Result<Authorizations, String> {
        let secret_bytes = claim.secret.0.len();
        if secret_bytes > SECRET_BYTES_MAX {
            return Err(format!("the secret has {secret_bytes} bytes"));
        }
        let permit = self.permits.acquire().await;
        let form = form::encode(&[
            ("common_name", claim.common_name.as_bytes()),
            ("remote_ip", claim.remote_ip.as_bytes()),
            ("secret", &claim.secret.0),
            ("tls", claim.is_tls.to_string().as_bytes()),
        ]);
        let random = RandomState::new().hash_one(()) as usize;
        let count = self.urls.len();
        let mut failures = Vec::new();
        for url in self.urls.iter().cycle().skip(random % count).take(count) {
            match self.ask_one(url, &form).await {
                Ok(authorizations) => return Ok(authorizations),
                Err(error) => failures.push(format!("failed to auth against {url} - {error}")),
            }
        }
        drop(permit);
        Err(failures.join("; "))
    }

    async fn ask_one(&self, server: &HttpUrl, form: &str) -> Result<Authorizations, QueryError> {
        let url = if self.by_post { server.clone() } else { server.with_query(form) };
        let mut answer = self.request(&url, form).await?;
        if answer.status == 403 && !url.is_https() {
            let port = https_port(&answer.body).ok_or(QueryError::NoHttpsPort)?;
            answer = self.request(&url.on_https_port(port), form).await?;
        }
        match answer.status.as_u16() {
            200 => Ok(Authorizations::parse(&answer.body)?),
            status => Err(QueryError::Status(status)),
        }
    }

    async fn request(&self, url: &HttpUrl, form: &str) -> Result<HttpAnswer, RequestError> {
        let form = Some(form).filter(|_| self.by_post);
        self.http.exchange(HttpRequest { url, form }).await
    }
}

/// Why the auth servers cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthSetupError {
    #[error("{0}")]
    Options(#[from] InvalidOptions),
    #[error("failed to build client TLS config - {0}")]
    Tls(#[from] TlsError),
}

/// Where a server that refuses plain HTTP wants to be asked.
fn https_port(body: &[u8]) -> Option<u16> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("https_port")?.as_u64()?.try_into().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::https_port;

    #[test]
    fn where_https_is() {
        for (body, expected) in [
            (r#"{"https_port":4152,"message":"TLS"}"#, Some(4152)),
            (r#"{"https_port":0}"#, None),
            (r#"{"https_port":65536}"#, None),
            (r#"{"https_port":"1"}"#, None),
            ("{}", None),
            ("forbidden", None),
        ] {
            assert_eq!(https_port(body.as_bytes()), expected, "{body}");
        }
    }
}
