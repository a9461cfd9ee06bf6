//! SIGTERM and SIGINT become a cancellation token.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT. A second signal ends the process at once with exit code 1, for the person
/// whose first Ctrl-C seems to do nothing.
///
/// # Errors
/// When the process may not install signal handlers.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            let name = tokio::select! {
                received = terminate.recv() => received.map(|()| "SIGTERM"),
                received = interrupt.recv() => received.map(|()| "SIGINT"),
            };
            let Some(name) = name else { return };
            signals += 1;
            if signals > 1 {
                tracing::warn!(signal = name, "second signal, ending at once");
                std::process::exit(1);
            }
            tracing::info!(signal = name, "shutting down");
            cancelled.cancel();
        }
    });
    Ok(token)
}
