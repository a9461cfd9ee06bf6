//! The JVM as a child, and the other duties of process 1.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::oneshot;

use crate::server::Shared;

/// A running JVM.
#[derive(Debug)]
pub struct Jvm {
    pid: Pid,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// What process 1 is told by others. To have it from the first moment on is a duty too: the kernel throws away what is sent
/// to a process 1 that does not listen.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
    quit: unix::Signal,
    child: unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            child: signal(SignalKind::child())?,
        })
    }

    /// Waits until the process is asked to stop; returns with which signal.
    pub async fn stop_asked(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }
}

/// Starts `program`. Its output passes through the agent's own unchanged; the node's state reads along.
pub fn start(program: &Path, arguments: &[String], shared: &Arc<Shared>) -> io::Result<Jvm> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = Pid::from_child(&child);
    // Threads, not tasks: they only move bytes between blocking files.
    let output = child.stdout.take().map(|pipe| {
        let shared = shared.clone();
        thread::spawn(move || pass_on(pipe, &io::stdout(), |line| shared.node().line(line)))
    });
    let errors = child.stderr.take().map(|pipe| thread::spawn(move || pass_on(pipe, &io::stderr(), |_| {})));
    let (sender, ended) = oneshot::channel();
    thread::spawn(move || {
        let status = wait(&mut child);
        for pump in [output, errors].into_iter().flatten() {
            // What the JVM wrote last comes before its end.
            let _ = pump.join();
        }
        let _ = sender.send(status);
    });
    Ok(Jvm { pid, ended })
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    child.wait()
}

fn pass_on<W>(pipe: impl Read, target: &W, mut read_along: impl FnMut(&str))
where
    for<'a> &'a W: Write,
{
    let mut reader = BufReader::with_capacity(64 * 1024, pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut target = target;
        // When the reader of the agent's output is gone, Kafka goes on without.
        let _ = target.write_all(&line).and_then(|()| target.flush());
        read_along(&String::from_utf8_lossy(&line));
    }
}

/// Watches over the JVM until it ends: passes signals on and buries orphans. Returns the exit code for the container: that
/// of the JVM, or 128 plus the signal that ended it.
pub async fn watch_over(mut jvm: Jvm, shared: &Shared, signals: &mut Signals) -> io::Result<u8> {
    loop {
        tokio::select! {
            ended = &mut jvm.ended => {
                shared.node().ended();
                let status = ended.map_err(io::Error::other)??;
                let signal_code = status.signal().map(|signal| 128 + signal);
                return Ok(u8::try_from(status.code().or(signal_code).unwrap_or(1)).unwrap_or(1));
            }
            _ = signals.terminate.recv() => stop(jvm.pid, Signal::TERM, shared),
            _ = signals.interrupt.recv() => stop(jvm.pid, Signal::INT, shared),
            _ = signals.hang_up.recv() => stop(jvm.pid, Signal::HUP, shared),
            // The JVM answers with a dump of its threads.
            _ = signals.quit.recv() => send(jvm.pid, Signal::QUIT),
            _ = signals.child.recv() => bury_orphans(jvm.pid),
        }
    }
}

fn stop(pid: Pid, with: Signal, shared: &Shared) {
    tracing::info!("asked to stop: Kafka hands over its leaderships and closes its logs");
    shared.node().stop_requested();
    send(pid, with);
}

fn send(pid: Pid, what: Signal) {
    if let Err(error) = kill_process(pid, what) {
        tracing::warn!(%error, "cannot signal the JVM");
    }
}

/// Takes the exit status of dead children other than the JVM: process 1 inherits every orphan of the container.
fn bury_orphans(jvm: Pid) {
    for pid in dead_children() {
        if pid != jvm {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Own children that have ended. (Waiting for any child would take the JVM's status from the task that waits for the JVM.)
fn dead_children() -> Vec<Pid> {
    let own = std::process::id().to_string();
    let mut dead = Vec::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return dead };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let Ok(text) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if is_dead_child(&text, &own) {
            dead.push(pid);
        }
    }
    dead
}

/// Reads `/proc/PID/stat`: `PID (NAME) STATE PARENT …`; the name may hold anything.
fn is_dead_child(stat: &str, parent: &str) -> bool {
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    fields.next() == Some("Z") && fields.next() == Some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_children_are_buried() {
        assert!(is_dead_child("12 (a) b) Z 1 1 1 0", "1"));
        assert!(!is_dead_child("12 (sh) S 1 1 1 0", "1"));
        assert!(!is_dead_child("12 (sh) Z 7 1 1 0", "1"));
    }

    #[test]
    fn lines_pass_unchanged_and_are_read_along() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let file = std::fs::File::create(&path).unwrap();
        let mut lines = Vec::new();
        pass_on(&b"one\ntwo\xff\nlast"[..], &file, |line| lines.push(line.to_owned()));
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\xff\nlast");
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "last");
    }
}
