//! `nsq up --tls`: one flag to try TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::up_process::Up;

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks over HTTPS as a client that trusts this authority alone.
fn ping(address: &str, authority: &Path) -> String {
    let mut store = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(authority).expect("a certificate");
    store.add(certificate).expect("an authority");
    let config = ClientConfig::builder().with_root_certificates(store).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout above 0 can be set");
    let mut stream = StreamOwned::new(session, socket);
    stream.write_all(b"GET /ping HTTP/1.0\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // It may close without the goodbye of TLS.
        Ok(_) | Err(_) => {}
    }
    String::from_utf8(answer).expect("text")
}

#[test]
fn one_flag_is_enough() {
    let data = tempfile::tempdir().expect("a directory");
    let up = Up::start_with(data.path(), &["--tls", "--https-address=127.0.0.1:0"]);
    let https = up.welcome().split_whitespace().skip_while(|word| *word != "HTTPS").nth(1);
    let https = https.unwrap_or_else(|| panic!("no HTTPS in:\n{}", up.welcome()));
    let files = data.path().join("tls");
    let answer = ping(https, &files.join("ca.pem"));
    assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("\r\n\r\nOK"), "{answer}");
    let key = std::fs::metadata(files.join("server.key")).expect("there is a key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    // Plain text goes on as well.
    assert_eq!(up.get("/ping"), (200, "OK".to_owned()));
    up.interrupt();
}
