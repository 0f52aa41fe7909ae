//! The HTTP client of the export. The exporter has a thread of its own without a runtime, so the
//! client runs on that of the agent.

use std::time::Duration;

use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// How long one request to the collector may take. The exporter sends the next spans after it.
const LIMIT: Duration = Duration::from_secs(5);

/// A client whose requests run on a runtime of tokio.
#[derive(Debug, Clone)]
pub(super) struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

impl OnRuntime {
    pub(super) fn new(runtime: Handle) -> Self {
        Self { client: HyperClient::with_default_connector(LIMIT, None), runtime }
    }
}

#[async_trait::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
