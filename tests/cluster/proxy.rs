//! A way between two daemons that a test can cut.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// They vanish, and so does the end of a connection. Connections that were open when this
    /// began are dead for ever: neither side hears of the other again.
    BlackHole,
    /// Connections are reset, new ones refused.
    Refused,
}

/// A proxy in front of one address.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    /// Ends all connections when it is dropped.
    _runtime: Runtime,
}

impl Proxy {
    /// Listens on `address` and passes on to `target`.
    pub(crate) fn start(address: SocketAddr, target: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a free address");
        let address = listener.local_addr().expect("it is bound");
        let (way, changes) = watch::channel(Way::Open);
        runtime.spawn(serve(listener, address, target, changes));
        Self { address, way, _runtime: runtime }
    }

    pub(crate) fn make(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn serve(
    mut listener: TcpListener,
    address: SocketAddr,
    target: SocketAddr,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let refused = async { way.wait_for(|way| *way == Way::Refused).await.map(drop) };
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(pass(accepted?.0, target, way.clone()));
                continue;
            }
            changed = refused => changed.map_err(io::Error::other)?,
        }
        drop(listener);
        way.wait_for(|way| *way != Way::Refused).await.map_err(io::Error::other)?;
        listener = TcpListener::bind(address).await?;
    }
}

async fn pass(
    mut near: TcpStream,
    target: SocketAddr,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    if *way.borrow() == Way::BlackHole {
        return std::future::pending().await;
    }
    let mut far = TcpStream::connect(target).await?;
    let cut = async { way.wait_for(|way| *way != Way::Open).await.map(|way| *way) };
    tokio::select! {
        passed = copy_bidirectional(&mut near, &mut far) => passed.map(drop),
        cut = cut => match cut {
            Ok(Way::BlackHole) => std::future::pending().await,
            Ok(Way::Open | Way::Refused) | Err(_) => {
                // Closing is a reset then.
                set_socket_linger(&near, Some(Duration::ZERO))?;
                set_socket_linger(&far, Some(Duration::ZERO))?;
                Ok(())
            }
        },
    }
}
