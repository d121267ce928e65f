//! `nsq up`: a running cluster with one command.

use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use nsq_app::{LogLevel, Logger, Shutdown, Signals};
use tokio::task::JoinSet;

use crate::throw_away::ThrowAway;

/// How far apart the ports of two nsqd nodes are.
const PORT_STEP: u16 = 100;
/// More nodes would need ports beyond the largest.
const NODES_MAX: i64 = 64;

/// How `nsq up` differs from the daemons by themselves.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Directory for the messages; created when it does not exist
    #[arg(long, default_value = "nsq-data")]
    data_path: PathBuf,
    /// How many nsqd nodes; each next one listens 100 ports higher
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=NODES_MAX))]
    nodes: u16,
    /// Address of the first nsqd for TCP clients
    #[arg(long, default_value = "127.0.0.1:4150")]
    tcp_address: String,
    /// Address of the first nsqd for HTTP clients
    #[arg(long, default_value = "127.0.0.1:4151")]
    http_address: String,
    /// Address of nsqlookupd for nsqd
    #[arg(long, default_value = "127.0.0.1:4160")]
    lookupd_tcp_address: String,
    /// Address of nsqlookupd for consumers
    #[arg(long, default_value = "127.0.0.1:4161")]
    lookupd_http_address: String,
    /// Address of nsqadmin, for a browser
    #[arg(long, default_value = "127.0.0.1:4171")]
    admin_http_address: String,
    /// Offer TLS to clients of nsqd, with certificates made for this run
    #[arg(long)]
    tls: bool,
    /// Address of the first nsqd for HTTPS clients, with --tls
    #[arg(long, default_value = "127.0.0.1:4152")]
    https_address: String,
    /// debug, info, warn, error or fatal
    #[arg(long, default_value = "warn")]
    log_level: LogLevel,
}

pub(crate) fn run(arguments: UpArgs) -> anyhow::Result<()> {
    nsqd::runtime()?.block_on(async {
        let shutdown = Shutdown::new();
        let signals = Signals::catch()?;
        let log = Logger::to_stderr("[nsq] ", arguments.log_level);
        let cluster = Cluster::start(&arguments).await?;
        cluster.welcome(&arguments.data_path)?;
        let on_hang_up = {
            let log = log.clone();
            move || log.info(format_args!("SIGHUP: there is no configuration file to read again"))
        };
        tokio::spawn(signals.run(log, shutdown.clone(), on_hang_up));
        cluster.run(shutdown).await?;
        println!("stopped; everything is in {}", arguments.data_path.display());
        Ok(())
    })
}

/// Everything that runs, bound and not serving yet.
struct Cluster {
    lookupd: nsqlookupd::Server,
    nodes: Vec<nsqd::Server>,
    admin: nsqadmin::Server,
    tls: Option<ThrowAway>,
}

impl Cluster {
    async fn start(arguments: &UpArgs) -> anyhow::Result<Self> {
        let lookupd = nsqlookupd::Options {
            tcp_address: arguments.lookupd_tcp_address.clone(),
            http_address: arguments.lookupd_http_address.clone(),
            broadcast_address: reachable(&arguments.lookupd_http_address),
            ..nsqlookupd::Options::default()
        };
        let log = Logger::to_stderr(&lookupd.log_prefix, arguments.log_level);
        let lookupd = nsqlookupd::Server::start(lookupd, log).await?;
        let tls = match arguments.tls {
            true => Some(certificates(arguments)?),
            false => None,
        };
        let mut nodes = Vec::new();
        for index in 0..arguments.nodes {
            let options = node_options(arguments, index, &lookupd.tcp_address(), tls.as_ref())?;
            let log = Logger::to_stderr(&options.log_prefix, arguments.log_level);
            nodes.push(nsqd::Server::start(options, log).await?);
        }
        let options = nsqadmin::Options {
            http_address: arguments.admin_http_address.clone(),
            nsqlookupd_http_addresses: vec![lookupd.http_address()],
            ..nsqadmin::Options::default()
        };
        let log = Logger::to_stderr(&options.log_prefix, arguments.log_level);
        let admin = nsqadmin::Server::start(options, log).await?;
        Ok(Self { lookupd, nodes, admin, tls })
    }

    /// Serves until `shutdown` begins or something fails. nsqlookupd stops last, so that no nsqd
    /// complains about it.
    async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let until_last = Shutdown::new();
        let lookupd = tokio::spawn(self.lookupd.run(until_last.clone()));
        let mut nodes = JoinSet::new();
        nodes.spawn(self.admin.run(shutdown.clone()));
        for node in self.nodes {
            nodes.spawn(node.run(shutdown.clone()));
        }
        let mut outcome = Ok(());
        while let Some(ended) = nodes.join_next().await {
            // One that fails takes the others with it.
            shutdown.begin();
            outcome = outcome.and(ended.map_err(anyhow::Error::from).flatten());
        }
        until_last.begin();
        let ended = lookupd.await.map_err(anyhow::Error::from).flatten();
        outcome.and(ended)
    }

    /// Says where everything is and what to try.
    fn welcome(&self, data_path: &Path) -> anyhow::Result<()> {
        let mut text = "nsq is running. Ctrl-C stops it.\n\n".to_owned();
        for node in &self.nodes {
            let http = node.http_address().unwrap_or_else(|| "off".to_owned());
            write!(text, "  nsqd        TCP {}   HTTP {http}", node.tcp_address())?;
            if let Some(https) = node.https_address() {
                write!(text, "   HTTPS {https}")?;
            }
            writeln!(text)?;
        }
        let (tcp, http) = (self.lookupd.tcp_address(), self.lookupd.http_address());
        writeln!(text, "  nsqlookupd  TCP {tcp}   HTTP {http}")?;
        writeln!(text, "  nsqadmin    http://{}/", self.admin.http_address())?;
        let first = self.nodes.first().context("there is at least one node")?;
        let tcp = first.tcp_address();
        let nsqd = first.http_address().unwrap_or_else(|| "off".to_owned());
        write!(
            text,
            "  data        {}\n\n\
             Try:\n\n\
             \x20 curl -d 'hello world' 'http://{nsqd}/pub?topic=test'\n\
             \x20 nsq sub test --nsqd {tcp}\n\
             \x20 curl 'http://{nsqd}/stats?format=json'\n\
             \x20 curl 'http://{http}/lookup?topic=test'\n\
             \x20 nsq bench e2e --address {tcp} --batch 200 --depth 4 --duration 5s\n",
            data_path.display()
        )?;
        if let (Some(tls), Some(https)) = (&self.tls, first.https_address()) {
            let authority = tls.authority.display();
            write!(
                text,
                "\nTLS is offered on the TCP port and spoken on the HTTPS port. Clients have to \
                 trust\n{authority}, which is made anew at each start:\n\n\
                 \x20 curl --cacert {authority} -d 'hello' 'https://{https}/pub?topic=test'\n"
            )?;
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()?;
        Ok(())
    }
}

/// The options of one node. A single one has the data directory for itself.
fn node_options(
    arguments: &UpArgs,
    index: u16,
    lookupd: &str,
    tls: Option<&ThrowAway>,
) -> anyhow::Result<nsqd::Options> {
    let defaults = nsqd::Options::default();
    let data_path = match arguments.nodes {
        1 => arguments.data_path.clone(),
        _ => arguments.data_path.join(format!("node-{}", index + 1)),
    };
    std::fs::create_dir_all(&data_path).with_context(|| {
        format!("cannot create {}; choose another place with --data-path", data_path.display())
    })?;
    Ok(nsqd::Options {
        data_path: text_of(&data_path),
        tcp_address: moved(&arguments.tcp_address, index)?,
        http_address: moved(&arguments.http_address, index)?,
        https_address: moved(&arguments.https_address, index)?,
        tls_cert: tls.map_or_else(String::new, |tls| text_of(&tls.certificate)),
        tls_key: tls.map_or_else(String::new, |tls| text_of(&tls.key)),
        broadcast_address: reachable(&arguments.tcp_address),
        nsqlookupd_tcp_addresses: vec![local(lookupd)],
        node_id: (defaults.node_id + i64::from(index)) % 1024,
        log_prefix: match arguments.nodes {
            1 => defaults.log_prefix,
            _ => format!("[nsqd {}] ", index + 1),
        },
        ..nsqd::Options::default()
    })
}

/// Certificates for all names under which a node can be reached.
fn certificates(arguments: &UpArgs) -> anyhow::Result<ThrowAway> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.push(nsq_app::host::name());
    names.push(reachable(&arguments.tcp_address));
    names.push(reachable(&arguments.https_address));
    names.sort_unstable();
    names.dedup();
    // What is no name, as the path of a unix socket, cannot be in a certificate.
    names.retain(|name| !name.is_empty() && !name.contains('/'));
    ThrowAway::create(&arguments.data_path.join("tls"), &names)
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The address of the node `index`; port 0 stays, which is any free one. Paths of unix sockets get
/// its number.
fn moved(address: &str, index: u16) -> anyhow::Result<String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Ok(match index {
            0 => address.to_owned(),
            _ => format!("{address}-{}", index + 1),
        });
    };
    let port: u16 = port.parse().with_context(|| format!("{address} has no port"))?;
    let moved = if port == 0 { Some(0) } else { port.checked_add(index * PORT_STEP) };
    ensure!(moved.is_some(), "there is no port {index} x {PORT_STEP} above that of {address}");
    Ok(format!("{host}:{}", moved.unwrap_or_default()))
}

/// What others shall call what listens there: the host of the address, unless it is all of them.
fn reachable(address: &str) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    match host.trim_matches(['[', ']']) {
        "" | "0.0.0.0" | "::" => nsq_app::host::name(),
        host => host.to_owned(),
    }
}

/// How this process reaches what listens there.
fn local(address: &str) -> String {
    // Anything else is the path of a unix socket.
    let Ok(address) = address.parse::<SocketAddr>() else { return address.to_owned() };
    let port = address.port();
    match (address.ip().is_unspecified(), address) {
        (true, SocketAddr::V4(_)) => format!("127.0.0.1:{port}"),
        (true, SocketAddr::V6(_)) => format!("[::1]:{port}"),
        (false, address) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_nodes() {
        for (address, index, expected) in [
            ("127.0.0.1:4150", 0, Some("127.0.0.1:4150")),
            ("127.0.0.1:4150", 2, Some("127.0.0.1:4350")),
            ("[::1]:4150", 1, Some("[::1]:4250")),
            ("127.0.0.1:0", 5, Some("127.0.0.1:0")),
            ("127.0.0.1:65500", 1, None),
            ("127.0.0.1:x", 1, None),
            ("/run/nsqd.sock", 0, Some("/run/nsqd.sock")),
            ("/run/nsqd.sock", 1, Some("/run/nsqd.sock-2")),
        ] {
            assert_eq!(moved(address, index).ok().as_deref(), expected, "{address} {index}");
        }
    }

    #[test]
    fn names_for_others() {
        for (address, expected) in
            [("10.0.0.1:4150", "10.0.0.1"), ("[::1]:4150", "::1"), ("host:1", "host")]
        {
            assert_eq!(reachable(address), expected);
        }
        assert_eq!(reachable("0.0.0.0:4150"), nsq_app::host::name());
        assert_eq!(local("0.0.0.0:4160"), "127.0.0.1:4160");
        assert_eq!(local("/run/nsqlookupd.sock"), "/run/nsqlookupd.sock");
    }
}
