//! A health check over HTTP, without TLS: it asks a program on this host.

use std::pin::pin;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::check::{Check, CheckOutcome};

impl Check {
    /// A check that sends a `GET` to this URL, such as `http://127.0.0.1:8080/health`. A status of
    /// 200 to 299 is passing, 429 (too many requests) is a warning, and any other is critical, as
    /// in Consul. The body is not read.
    ///
    /// Needs the feature `http-check`.
    ///
    /// # Errors
    /// A text that says what is wrong with the URL: it must begin with `http://` and name a host.
    pub fn http(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("cannot read the URL {url:?}: {error}"))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(format!(
                "the URL {url:?} does not begin with http:// and a host; give one that does"
            ));
        }
        Ok(Self::with(move || {
            let uri = uri.clone();
            async move {
                let shown = uri.to_string();
                match get(uri).await {
                    Ok(status) if status.is_success() => CheckOutcome::Passing,
                    Ok(StatusCode::TOO_MANY_REQUESTS) => {
                        CheckOutcome::Warning(format!("{shown}: status 429"))
                    }
                    Ok(status) => CheckOutcome::Critical(format!("{shown}: status {}", status.as_u16())),
                    Err(error) => CheckOutcome::Critical(format!("{shown}: {error}")),
                }
            }
        }))
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks once. The connection is not kept: a check must notice that the program accepts no more.
async fn get(uri: Uri) -> Result<StatusCode, Failure> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let host = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
    let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new())?;
    // The connection is driven here, so that a check that is given up closes it.
    let mut response = pin!(sender.send_request(request));
    tokio::select! {
        response = &mut response => Ok(response?.status()),
        ended = connection => {
            ended?;
            // The answer may have come with the end. Without one this is an error.
            Ok(response.await?.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers one request with these bytes. Returns its URL.
    async fn answers(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health?full", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1_024];
            let len = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..len]).into_owned();
            assert!(request.starts_with("GET /health?full HTTP/1.1\r\nhost: 127.0.0.1:"), "{request}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        url
    }

    async fn outcome(answer: &'static str) -> CheckOutcome {
        let url = answers(answer).await;
        Check::http(&url).unwrap().within(Duration::from_mins(1)).outcome().await
    }

    #[tokio::test]
    async fn status_decides_the_outcome() {
        let ok = outcome("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(ok, CheckOutcome::Passing);
        let busy = outcome("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(busy, CheckOutcome::Warning(_)), "{busy:?}");
        let broken = outcome("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
        assert!(
            matches!(&broken, CheckOutcome::Critical(note) if note.ends_with("status 503")),
            "{broken:?}"
        );
        let silent = outcome("").await;
        assert!(matches!(silent, CheckOutcome::Critical(_)), "{silent:?}");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["https://127.0.0.1/", "127.0.0.1:80", "/health", "http://", "http://a b"] {
            assert!(Check::http(url).is_err(), "{url}");
        }
    }
}
