//! Starting and stopping one nsqadmin.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use nsq_api::{HttpClient, HttpUrl};
use nsq_app::http::{Router, serve};
use nsq_app::{DaemonOptions, Logger, Reload, Shutdown, TokenFile};
use nsq_net::{Door, Listener, TlsClient};
use parking_lot::RwLock;
use tokio::sync::Semaphore;

use crate::admin::Admin;
use crate::cidr::Cidr;
use crate::graphite::{Graphite, redacted};
use crate::graphs::Graphs;
use crate::notifier::{Messenger, notifier};
use crate::options::Options;
use crate::tail::Tails;
use crate::watch::Watch;
use crate::web::{self, STREAMS_MAX};
use crate::{address, http, tls};

/// More than any daemon says.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Each request opens connections of its own to others.
const CONNECTIONS_MAX: usize = 1024;
/// How long notifications may take to get out when the daemon stops.
const GRACE: Duration = Duration::from_secs(2);

/// An nsqadmin that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    admin: Arc<Admin>,
    messenger: Option<Messenger>,
    http: Listener,
    tls: Option<TlsClient>,
}

impl Server {
    /// Checks the options and binds the address.
    ///
    /// # Errors
    ///
    /// With the sentence for the operator.
    pub async fn start(options: Options, log: Logger) -> anyhow::Result<Self> {
        let instantiate = |error| anyhow!("failed to instantiate nsqadmin - {error}");
        let checked = check(&options).await.map_err(instantiate)?;
        let Checked { tls, config_from, endpoint, tokens, distant, unresolved } = checked;
        log.info(format_args!("{}", nsq_app::version::line("nsqadmin")));
        for failure in unresolved {
            log.warning(format_args!("{failure}"));
        }
        if tokens.is_some() && !distant.is_empty() {
            // HTTPS is spoken only with those that refused plain text, which had the token then.
            log.warning(format_args!(
                "HTTP: tokens travel in plain text to {}, for whoever can hear the network",
                distant.join(", ")
            ));
        }
        let http = Listener::bind(&options.http_address).await;
        let http = http.map_err(|error| instantiate(error.to_string()))?;
        let client = HttpClient {
            connect_timeout: options.http_client_connect_timeout,
            request_timeout: options.http_client_request_timeout,
            max_body_bytes: ANSWER_BYTES_MAX,
            tls: tls.clone(),
            authorization: None,
        };
        let queue = endpoint.map(|endpoint| notifier(endpoint, client.clone(), log.clone()));
        let (notifier, messenger) = queue.unzip();
        let lookupds = RwLock::new(options.nsqlookupd_http_addresses.clone());
        let watch = Arc::new(Watch::new(options.history_interval, options.history_length));
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let tails = Tails::new();
        let graphs = Graphs::of(&options, &log).map(Arc::new);
        let admin = Admin {
            options,
            log,
            client,
            tokens,
            config_from,
            lookupds,
            notifier,
            graphs,
            watch,
            streams,
            tails,
        };
        Ok(Self { admin: Arc::new(admin), messenger, http, tls })
    }

    /// Certificates and tokens are read again at every SIGHUP, and the addresses of nsqlookupd when
    /// the configuration file has others.
    pub(crate) fn renew_with(&self, reload: &mut Reload<Options>) {
        if let Some(tls) = self.tls.clone() {
            let read = move || tls.reload().map_err(|error| error.to_string());
            reload.on_renewal("the certificate", read);
        }
        if let Some(tokens) = self.admin.tokens.clone() {
            let read = move || tokens.reload().map_err(|error| error.to_string());
            reload.on_renewal("the token for nsqlookupd and nsqd", read);
        }
        let admin = Arc::clone(&self.admin);
        reload.on_change("nsqlookupd_http_addresses", move |options| {
            admin.ask_other_lookupds(&options.nsqlookupd_http_addresses);
        });
    }

    /// The address for HTTP clients, with the port that was really bound.
    #[must_use]
    pub fn http_address(&self) -> String {
        self.http.address()
    }

    /// Serves until `shutdown` begins. What is to be told of actions gets out, if it is taken soon.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { admin, messenger, http: listener, .. } = self;
        // It goes on behind the last request.
        let end = Shutdown::new();
        let telling = messenger.map(|messenger| tokio::spawn(messenger.run(end.clone())));
        let base = admin.options.base_path();
        let log = admin.log.clone();
        let mut routes = http::routes();
        routes.extend(web::routes());
        if admin.graphs.as_ref().is_some_and(|graphs| graphs.is_proxied()) {
            routes.push(http::render());
        }
        let watching = Arc::clone(&admin.watch).run(Arc::clone(&admin), shutdown.clone());
        let watching = tokio::spawn(watching);
        let router = Router::new(admin, log.clone(), routes).below(&base).compressed();
        let listener = (listener, Door::Plain);
        serve("HTTP", listener, Arc::new(router), shutdown, CONNECTIONS_MAX).await?;
        watching.await?;
        end.begin();
        if let Some(telling) = telling
            && tokio::time::timeout(GRACE, telling).await.is_err()
        {
            log.error(format_args!("NOTIFY: notifications were not taken before the end"));
        }
        Ok(())
    }
}

/// What the checks of a start have read.
struct Checked {
    tls: Option<TlsClient>,
    config_from: Option<Cidr>,
    endpoint: Option<HttpUrl>,
    tokens: Option<Arc<TokenFile>>,
    /// Addresses of nsqlookupd and nsqd that are on other hosts.
    distant: Vec<String>,
    /// What is wrong with names that have no address by now.
    unresolved: Vec<String>,
}

/// The checks of a start, in Go NSQ's order and words; the last two are ours.
async fn check(options: &Options) -> Result<Checked, String> {
    options.check()?;
    let tls = tls::load(options)?;
    let lookupds = options.nsqlookupd_http_addresses.iter();
    let lookupds = lookupds.map(|address| ("--lookupd-http-address", address));
    let nsqds = options.nsqd_http_addresses.iter().map(|address| ("--nsqd-http-address", address));
    let (mut distant, mut unresolved, mut count) = (Vec::new(), Vec::new(), 0);
    for (flag, address) in lookupds.chain(nsqds) {
        let failed = |error| format!("failed to resolve {flag} ({address}) - {error}");
        count += 1;
        match address::resolve(address::split(address).map_err(failed)?).await {
            Ok(ips) if ips.iter().all(IpAddr::is_loopback) => {}
            Ok(_) => distant.push(address.clone()),
            Err(error) => unresolved.push(failed(error)),
        }
    }
    // One name that is gone must not keep all others from being seen.
    if unresolved.len() == count && !unresolved.is_empty() {
        return Err(unresolved.swap_remove(0));
    }
    let url = &options.graphite_url;
    if options.proxy_graphite && !url.is_empty() {
        Graphite::parse(url).map_err(|error| {
            format!("failed to parse --graphite-url ({}) - {error}", redacted(url))
        })?;
    }
    let range = &options.allow_config_from_cidr;
    let config_from = (!range.is_empty()).then(|| Cidr::parse(range)).transpose();
    let config_from = config_from
        .map_err(|error| format!("failed to parse --allow-config-from-cidr ({range}) - {error}"))?;
    let endpoint = &options.notification_http_endpoint;
    let wrong = || {
        format!(
            "failed to parse --notification-http-endpoint ({endpoint}) - no URL of HTTP or HTTPS"
        )
    };
    let endpoint =
        (!endpoint.is_empty()).then(|| HttpUrl::parse(endpoint).ok_or_else(wrong)).transpose()?;
    let tokens = TokenFile::load(&options.http_client_token_file);
    let tokens = tokens.map_err(|error| error.to_string())?;
    Ok(Checked { tls, config_from, endpoint, tokens, distant, unresolved })
}
