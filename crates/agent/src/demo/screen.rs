//! The output of the demo: lines that stay, and on a terminal a block below them that changes.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Stdout, Write, stdout};

use serde::Serialize;

use crate::exit::Failure;
use crate::render::{Paint, Tone};

/// Turn the terminal's line wrap off and on. A wrapped line would break the count of lines by which
/// the cursor goes up.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// Standard output, in one of three formats.
pub(super) struct Screen<W = Stdout> {
    out: W,
    format: Format,
    pub(super) paint: Paint,
    /// The block as it is on the terminal now, below all lines.
    block: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// One JSON object a line.
    Json,
    /// Lines only, for a pipe or a file.
    Plain,
    /// Lines and a changing block, for a terminal.
    Live,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let is_live = stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        // A "dumb" terminal has no cursor movement, so it gets plain lines.
        let format = match (json, is_live) {
            (true, _) => Format::Json,
            (false, true) => Format::Live,
            (false, false) => Format::Plain,
        };
        Self { out: stdout(), format, paint: Paint::of_stdout(), block: String::new() }
    }
}

impl<W: Write> Screen<W> {
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    pub(super) fn is_live(&self) -> bool {
        self.format == Format::Live
    }

    /// Prints a JSON object, if the format is JSON.
    pub(super) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        if !self.is_json() {
            return Ok(());
        }
        let mut text = serde_json::to_string(object).expect("the demo's objects have text keys only");
        text.push('\n');
        self.write(&text)
    }

    /// Prints text of one or more lines that stay. Does nothing if the format is JSON.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_json() {
            return Ok(());
        }
        let block = self.block.clone();
        // One write for all, so that the terminal does not show the moment without the block.
        let redrawn = format!("{}{text}\n{}", self.erased(), framed(&block));
        self.write(&redrawn)
    }

    /// Prints text in one tone.
    pub(super) fn toned(&mut self, tone: Tone, text: &str) -> Result<(), Failure> {
        self.text(&self.paint.tone(tone, text))
    }

    /// Replaces the block. An empty one removes it.
    pub(super) fn draw(&mut self, block: &str) -> Result<(), Failure> {
        if !self.is_live() || block == self.block {
            return Ok(());
        }
        let redrawn = format!("{}{}", self.erased(), framed(block));
        block.clone_into(&mut self.block);
        self.write(&redrawn)
    }

    /// The escape sequences that remove the block from the terminal.
    fn erased(&self) -> String {
        let mut text = String::new();
        if !self.block.is_empty() {
            let lines = self.block.matches('\n').count();
            let _infallible = write!(text, "\x1b[{lines}A\x1b[J");
        }
        text
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|error| Failure::output(&error))
    }
}

fn framed(block: &str) -> String {
    if block.is_empty() { String::new() } else { format!("{WRAP_OFF}{block}{WRAP_ON}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(format: Format) -> Screen<Vec<u8>> {
        Screen { out: Vec::new(), format, paint: Paint::off(), block: String::new() }
    }

    fn written(screen: &Screen<Vec<u8>>) -> String {
        String::from_utf8(screen.out.clone()).unwrap()
    }

    #[test]
    fn pipe_gets_lines_and_no_block() {
        let mut screen = screen(Format::Plain);
        screen.draw("block\n").unwrap();
        screen.text("line").unwrap();
        screen.object(&1).unwrap();
        assert_eq!(written(&screen), "line\n");
    }

    #[test]
    fn json_output_is_only_objects() {
        let mut screen = screen(Format::Json);
        screen.draw("block\n").unwrap();
        screen.text("line").unwrap();
        screen.object(&1).unwrap();
        assert_eq!(written(&screen), "1\n");
    }

    #[test]
    fn terminal_gets_lines_above_the_block() {
        let mut screen = screen(Format::Live);
        screen.draw("a\nb\n").unwrap();
        screen.text("line").unwrap();
        screen.draw("").unwrap();
        let block = format!("{WRAP_OFF}a\nb\n{WRAP_ON}");
        assert_eq!(written(&screen), format!("{block}\x1b[2A\x1b[Jline\n{block}\x1b[2A\x1b[J"));
    }
}
