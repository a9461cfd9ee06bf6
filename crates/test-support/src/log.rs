//! What an operator under test says, and a runtime of its own for it.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

/// Everything that was said in a runtime made by [`Log::runtime`].
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All of it so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// A runtime whose threads write into this log what passes the filter, such as `info`. It outlives the runtime of one test, and can be
    /// ended like a process.
    pub fn runtime(&self, filter: &str) -> anyhow::Result<Runtime> {
        let dispatch = self.dispatch(filter)?;
        let mut builder = Builder::new_multi_thread();
        // As in the process of an operator.
        builder.worker_threads(2).thread_stack_size(16 << 20).enable_all();
        // For as long as the thread lives.
        builder.on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)));
        Ok(builder.build()?)
    }

    /// Has this thread write into this log what passes the filter, for as long as it lives.
    pub fn take_in_this_thread(&self, filter: &str) -> anyhow::Result<()> {
        std::mem::forget(tracing::dispatcher::set_default(&self.dispatch(filter)?));
        Ok(())
    }

    fn dispatch(&self, filter: &str) -> anyhow::Result<tracing::Dispatch> {
        let sink = self.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || sink.clone());
        let subscriber = tracing_subscriber::registry().with(filter.parse::<Targets>()?).with(lines);
        Ok(tracing::Dispatch::new(subscriber))
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // For a person who looks for the reason of a failure.
        if std::env::var_os("STRIMZI_LOG_LEVEL").is_some() {
            let _ = std::io::stderr().write_all(bytes);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
