//! A client of HTTP for the tests: it writes each byte itself, so that it can also send what a
//! correct client does not.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::process::DEADLINE;

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Asserts that it is an error of this status and code, in its media type.
    #[track_caller]
    pub(crate) fn must_be_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:#?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:#?}");
        let problem = self.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{self:#?}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{self:#?}");
    }
}

/// A connection.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

pub(crate) fn socket(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub(crate) fn tcp(addr: &str) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends a request. With HTTP 1.0 the response ends with the connection.
pub(crate) fn ask(mut stream: impl Stream, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let length = body.len();
    let request = format!("{line} HTTP/1.0\r\n{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Sends a request to a socket, with a body of JSON if there is one.
pub(crate) fn ask_socket(path: &Path, line: &str, body: &str) -> Answer {
    let headers: &[_] = if body.is_empty() { &[] } else { &[("content-type", "application/json")] };
    ask(socket(path), line, headers, body)
}

/// A stream of events.
pub(crate) struct Events<S> {
    lines: BufReader<S>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl<S: Stream> Events<S> {
    /// Follows the events, after the one with this id if it is not empty.
    pub(crate) fn follow(mut stream: S, last: &str) -> Self {
        let last = if last.is_empty() { String::new() } else { format!("last-event-id: {last}\r\n") };
        stream
            .write_all(format!("GET /v1/events HTTP/1.0\r\nhost: localhost\r\n{last}\r\n").as_bytes())
            .unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let head = head.to_lowercase();
        assert!(head.contains(" 200 ") && head.contains("content-type: text/event-stream"), "{head}");
        Self { lines }
    }

    /// The next event. `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (String::new(), String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() && !data.is_empty() {
                return Some(Event { name, id, data: serde_json::from_str(&data).unwrap() });
            }
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("data", value)) => value.clone_into(&mut data),
                _ => {}
            }
        }
    }

    /// Waits for the next event of this name.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().unwrap_or_else(|| panic!("the stream ends before {name}"));
            if event.name == name {
                return event;
            }
        }
    }
}
