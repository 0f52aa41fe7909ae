//! The log lines and spans of requests, dials and refusals.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::support::{LONG, bind, ca, echo, peer, until};

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("log is text")
    }
}

/// Collects the log lines of this thread. All tasks of these tests run on it.
fn listen() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn spans_carry_the_peer_name() {
    let (lines, _here) = listen();
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    let text = lines.text();
    assert!(text.contains(&format!("request{{peer=b at {} traffic=Other", b.local_addr())), "{text}");
    assert!(text.contains("dial{peer=b at "), "{text}");
    assert!(text.contains("connected"), "{text}");
}

/// The second request uses the kept stream again, and a long one has a stream of its own.
#[tokio::test]
async fn both_ends_give_an_exchange_the_same_trace() {
    let (lines, _here) = listen();
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    // A test on another thread, which has no subscriber, may have been the first to use a span.
    // Then `tracing` has noted that nobody wants it.
    tracing::callsite::rebuild_interest_cache();
    for bytes in [1, 1, 5_000] {
        a.request(&peer(&b), Bytes::from(vec![7; bytes]), LONG).await.unwrap();
    }
    let traces = |span: &str| -> Vec<String> {
        let text = lines.text();
        let ended = text.lines().filter(|line| line.contains(" close ") && line.contains(span));
        let traces =
            ended.filter_map(|line| Some(line.split_once("trace=")?.1.split('}').next()?.to_owned()));
        let traces: Vec<String> = traces.collect();
        traces[traces.len().saturating_sub(3)..].to_vec()
    };
    // The span of the peer ends after its answer has arrived here.
    until(|| traces("serve{peer=a ") == traces("request{peer=b ")).await;
    let (asked, served) = (traces("request{peer=b "), traces("serve{peer=a "));
    assert_eq!((&asked, asked.len()), (&served, 3), "{}", lines.text());
    assert!(asked.iter().all(|trace| trace.len() == 32), "{asked:?}");
    assert!(asked[0] != asked[1] && asked[1] != asked[2] && asked[0] != asked[2], "{asked:?}");
}

#[tokio::test]
async fn refused_handshake_is_one_warning_per_side() {
    let (lines, _here) = listen();
    let (stranger, b) = (bind(&ca("c"), "a").0, echo(&ca("c"), "b"));
    stranger.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err();
    until(|| stranger.stats().refused_untrusted == 1 && b.stats().refused_by_peer == 1).await;
    let text = lines.text();
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains(" WARN ")).collect();
    let has = |what: &str| warnings.iter().filter(|line| line.contains(what)).count();
    let here = format!(
        "refused the connection to {}: its certificate is signed by another CA than this cluster's",
        b.local_addr()
    );
    assert_eq!((warnings.len(), has(&here)), (2, 1), "{text}");
    assert_eq!(has("it does not accept this node's certificate"), 1, "{text}");
    assert_eq!(has("the peer refused the connection from 127.0.0.1:"), 1, "{text}");
}
