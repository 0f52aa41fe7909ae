//! The two text formats of metrics, and how a scrape says which one it wants.

use prometheus_client::encoding::prometheus_text;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4. Every tool reads it.
    #[default]
    Prometheus,
    /// `OpenMetrics` 1.0, which Prometheus prefers: it has units.
    OpenMetrics,
}

impl Format {
    /// The format for an `Accept` header: `OpenMetrics` 1.0 if the header names it, and otherwise
    /// the format of Prometheus. A quality of 0 refuses `OpenMetrics`. Other qualities do not
    /// matter, because a scrape that reads `OpenMetrics` gets nothing less with it.
    pub fn accepted(accept: &str) -> Self {
        if accept.split(',').any(wants_open_metrics) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Whether one entry of an `Accept` header is `OpenMetrics` 1.0, or `OpenMetrics` without a
/// version.
fn wants_open_metrics(entry: &str) -> bool {
    let mut parts = entry.split(';').map(str::trim);
    let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
    let fits = |part: &str| match part.split_once('=') {
        Some((key, version)) if key.trim() == "version" => version.trim().trim_matches('"') == "1.0.0",
        Some((key, quality)) if key.trim() == "q" => quality.trim().parse::<f32>().is_ok_and(|q| q > 0.0),
        _ => true,
    };
    named && parts.all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_selects_the_format() {
        // What Prometheus 2.42 and 3 send, what curl sends, and none.
        for (accept, format) in [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                 q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.6, application/openmetrics-text; version=\"1.0.0\"; \
                 escaping=allow-utf-8; q=0.5",
                Format::OpenMetrics,
            ),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::Prometheus),
            ("application/openmetrics-text;version=1.0.0;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=none", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }
}
