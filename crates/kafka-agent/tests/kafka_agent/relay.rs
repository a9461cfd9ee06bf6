//! A way to a port on which all connections can be cut at once.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Connections to its port go on to another port. Its threads end with the test's process.
pub(crate) struct Relay {
    pub port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    /// Connections may come before anybody listens on the port `to`: then they end.
    pub(crate) fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let all = Arc::clone(&open);
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let copies = [&from, &to].map(|stream| stream.try_clone().unwrap());
                all.lock().unwrap().extend(copies);
                join(&from, &to);
                join(&to, &from);
            }
        });
        Self { port, open }
    }

    /// Cuts every connection that there is; whoever has one has to make a new one.
    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            // It may have ended before.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Passes on what comes, until it ends.
fn join(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
