//! nsq_to_http with a server of HTTPS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nsq_sim::certificates::Authority;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::daemon::Daemon;
use crate::tool::{IMPATIENT, NSQ_TO_HTTP, Tool};

/// Answers each connection's first request with 200.
fn serve(certificate: &Path, key: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("it is bound");
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("it has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let config = Arc::new(config.expect("they belong together"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a configuration");
            let mut stream = StreamOwned::new(connection, stream.expect("a connection"));
            // Fails where the client does not trust the certificate.
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer).expect("the client is there");
                stream.conn.send_close_notify();
                stream.flush().expect("the client is there");
            }
        }
    });
    address
}

#[test]
fn a_server_is_trusted_with_a_certificate_of_the_system_and_not_without() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let (certificate, key) = authority.sign(directory.path(), "server");
    let address = serve(&certificate, &key);
    let nsqd = Daemon::nsqd(&[]);
    nsqd.create("t", "nsq_to_http");
    nsqd.publish("t", &["a", "b"]);
    let stranger = Authority::new().write(directory.path(), "stranger");
    let trusted = authority.write(directory.path(), "trusted");
    let start = |roots: &Path| {
        let mut command = Command::new(NSQ_TO_HTTP);
        command.args(["--topic=t", &format!("--nsqd-tcp-address={}", nsqd.tcp())]);
        command.arg(format!("--post=https://{address}/")).args(IMPATIENT);
        Tool::run({
            command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
            command
        })
    };
    let distrustful = start(&stranger);
    let line = distrustful.line("Handler returned error");
    assert!(line.contains("certificate"), "{line}");
    assert_eq!(distrustful.stop(), Some(0));
    let trusting = start(&trusted);
    nsqd.wait_finished("t", "nsq_to_http", 2);
    assert_eq!(trusting.stop(), Some(0));
}
