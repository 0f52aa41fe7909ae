//! The signals that an agent takes.
//!
//! Every Rust program ignores SIGPIPE from its start, so the end of a log reader does not end the
//! agent.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Failure, Status};

/// Receives SIGTERM, SIGINT (Ctrl-C), SIGHUP and SIGUSR1 from the moment at which it is made.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

/// The action that a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Stop the agent. Holds the name of the signal.
    Stop(&'static str),
    /// SIGHUP: open and read files again.
    Reload,
    /// SIGUSR1: log the state.
    LogState,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        // The system refused a signal handler. What to do: raise the limits of the process (file
        // descriptors, memory), then start the agent again.
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Status::Failed, format_args!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            user: listen(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next signal. Returns the action that it asks for.
    ///
    /// # Cancel safety
    /// Dropping the future loses no signal: the handlers keep what has arrived.
    pub(super) async fn next(&mut self) -> Action {
        tokio::select! {
            _ = self.terminate.recv() => Action::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Action::Stop("SIGINT"),
            _ = self.hang_up.recv() => Action::Reload,
            _ = self.user.recv() => Action::LogState,
        }
    }

    /// Waits for a signal to stop, and ignores the others.
    ///
    /// # Cancel safety
    /// Dropping the future loses no signal to stop.
    pub(super) async fn stop(&mut self) -> &'static str {
        loop {
            if let Action::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}
