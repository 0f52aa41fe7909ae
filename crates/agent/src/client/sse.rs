//! Reads server-sent events (WHATWG HTML, section 9.2).

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// The longest event in bytes: a snapshot of a large group.
const EVENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The kind.
    pub(crate) name: String,
    /// The data: one JSON value.
    pub(crate) data: String,
    /// The id of this event, or of the last one that had an id.
    pub(crate) id: Option<String>,
}

/// The events of one connection.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    parser: Parser,
}

impl Events {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, parser: Parser::default() }
    }

    /// The next event. `None` when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.parser.take() {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(bytes) = frame.into_data() {
                self.parser.add(&bytes);
                if self.parser.text.len() > EVENT_BYTES_MAX {
                    return None;
                }
            }
        }
    }
}

/// The bytes that are not a whole event yet.
#[derive(Debug, Default)]
struct Parser {
    text: Vec<u8>,
    /// Up to here there is no end of an event.
    searched: usize,
    id: Option<String>,
}

impl Parser {
    fn add(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// Takes out the first whole event that has data.
    fn take(&mut self) -> Option<SseEvent> {
        loop {
            let from = self.searched.saturating_sub(1);
            let Some(at) = self.text[from..].windows(2).position(|two| two == b"\n\n") else {
                self.searched = self.text.len();
                return None;
            };
            let block: Vec<u8> = self.text.drain(..from + at + 2).collect();
            self.searched = 0;
            if let Some(event) = self.event(&String::from_utf8_lossy(&block)) {
                return Some(event);
            }
        }
    }

    fn event(&mut self, block: &str) -> Option<SseEvent> {
        let mut event = SseEvent::default();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut event.name),
                "id" => self.id = Some(value.to_owned()),
                "data" if event.data.is_empty() => value.clone_into(&mut event.data),
                "data" => event.data = format!("{}\n{value}", event.data),
                // A comment, or a field that this program does not use.
                _ => {}
            }
        }
        event.id.clone_from(&self.id);
        (!event.data.is_empty()).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_any_pieces() {
        let text = "retry: 1000\n\n:\n\nid: a-1\nevent: one\ndata: {\"a\":1}\n\nevent: two\ndata:x\ndata: y\n\nevent: z\n";
        let event = |name: &str, data: &str| SseEvent {
            name: name.to_owned(),
            data: data.to_owned(),
            id: Some("a-1".to_owned()),
        };
        let expected = [event("one", "{\"a\":1}"), event("two", "x\ny")];
        for size in [1, 2, 3, 7, text.len()] {
            let (mut parser, mut found) = (Parser::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                parser.add(piece);
                found.extend(std::iter::from_fn(|| parser.take()));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }
}
