//! The export of spans, if the agent is built with the feature `otel` and a variable asks for it.

use kinfolk::NodeIdentity;
use tokio::runtime::Handle;

use crate::exit::Failure;
use crate::logs;

/// A running export, or none.
pub(super) struct Export {
    #[cfg(feature = "otel")]
    tracing: Option<crate::otel::Tracing>,
}

#[cfg(feature = "otel")]
impl Export {
    pub(super) fn start(runtime: &Handle, identity: &NodeIdentity) -> Result<Self, Failure> {
        Ok(Self { tracing: crate::otel::Tracing::start(runtime, identity.id().as_str())? })
    }

    /// The layer that the log shares its spans with.
    pub(super) fn layer(&self) -> Option<logs::Export> {
        Some(self.tracing.as_ref()?.filtered_layer())
    }

    /// Sends the last spans.
    pub(super) async fn stop(self) {
        if let Some(tracing) = self.tracing {
            tracing.stop().await;
        }
    }
}

#[cfg(not(feature = "otel"))]
#[expect(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    clippy::unused_async,
    reason = "as with the feature"
)]
impl Export {
    pub(super) fn start(_: &Handle, _: &NodeIdentity) -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(super) fn layer(&self) -> Option<logs::Export> {
        None
    }

    pub(super) async fn stop(self) {}
}
