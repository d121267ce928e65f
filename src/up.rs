//! `nsq up`: a running NSQ with one command.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use nsq_app::{LogLevel, Logger, Shutdown, Signals};
use nsqd::{Options, Server};

/// How `nsq up` differs from plain `nsqd`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Directory for the messages; created when it does not exist
    #[arg(long, default_value = "nsq-data")]
    data_path: PathBuf,
    /// Address for TCP clients
    #[arg(long, default_value = "127.0.0.1:4150")]
    tcp_address: String,
    /// Address for HTTP clients
    #[arg(long, default_value = "127.0.0.1:4151")]
    http_address: String,
    /// debug, info, warn, error or fatal
    #[arg(long, default_value = "warn")]
    log_level: LogLevel,
}

pub(crate) fn run(arguments: UpArgs) -> anyhow::Result<()> {
    let UpArgs { data_path, tcp_address, http_address, log_level } = arguments;
    std::fs::create_dir_all(&data_path).with_context(|| {
        format!("cannot create {}; choose another place with --data-path", data_path.display())
    })?;
    let options = Options {
        data_path: data_path.to_string_lossy().into_owned(),
        tcp_address,
        http_address,
        ..Options::default()
    };
    let log = Logger::to_stderr(&options.log_prefix, log_level);
    nsqd::runtime()?.block_on(async {
        let shutdown = Shutdown::new();
        let signals = Signals::catch()?;
        let server = Server::start(options, log.clone()).await?;
        welcome(&server, &data_path)?;
        let on_hang_up = {
            let log = log.clone();
            move || log.info(format_args!("SIGHUP: there is no configuration file to read again"))
        };
        tokio::spawn(signals.run(log, shutdown.clone(), on_hang_up));
        server.run(shutdown).await?;
        println!("stopped; everything is in {}", data_path.display());
        Ok(())
    })
}

/// Says where everything is and what to try.
fn welcome(server: &Server, data_path: &std::path::Path) -> anyhow::Result<()> {
    let tcp = server.tcp_address()?;
    let http: Option<SocketAddr> = server.http_address()?;
    let http = http.map_or_else(|| "off".to_owned(), |address| address.to_string());
    let data = data_path.display();
    let text = format!(
        "nsqd is running. Ctrl-C stops it.\n\n\
         \x20 TCP   {tcp}\n\
         \x20 HTTP  {http}\n\
         \x20 data  {data}\n\n\
         Try:\n\n\
         \x20 curl -d 'hello world' 'http://{http}/pub?topic=test'\n\
         \x20 curl 'http://{http}/stats?format=json'\n\
         \x20 nsq bench e2e --address {tcp} --batch 200 --depth 4 --duration 5s\n"
    );
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}
