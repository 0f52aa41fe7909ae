//! The signals that an agent takes. SIGPIPE is ignored from the start of every Rust program, so a
//! reader of the log that ends does not end the agent.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Failure, Status};

/// SIGTERM, SIGINT (Ctrl-C), SIGHUP and SIGUSR1, from the moment this is made on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop. The name of the signal.
    Stop(&'static str),
    /// SIGHUP: to open the event log again.
    Reopen,
    /// SIGUSR1: to log the state.
    State,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Status::Failed, format_args!("signals cannot be received: {error}"))
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            user: listen(SignalKind::user_defined1())?,
        })
    }

    /// What the next signal asks for.
    ///
    /// # Cancel safety
    /// Dropping the future loses no signal.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hang_up.recv() => Asked::Reopen,
            _ = self.user.recv() => Asked::State,
        }
    }

    /// Waits for a signal to stop, and passes over others.
    ///
    /// # Cancel safety
    /// As [`next`](Self::next).
    pub(super) async fn stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}
