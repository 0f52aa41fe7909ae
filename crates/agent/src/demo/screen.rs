//! Where the story goes: lines that stay, and on a terminal below them a block that is drawn anew as things change.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Stdout, Write, stdout};

use serde::Serialize;

use crate::exit::Failure;
use crate::render::{Paint, Tone};

/// Turns the terminal's line wrap off and on, so that a long line cannot break the count of lines to go up.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// Standard output, in one of three manners.
pub(super) struct Screen<W = Stdout> {
    out: W,
    manner: Manner,
    pub(super) paint: Paint,
    /// The block as it stands on the terminal now, below all lines.
    block: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// One JSON object a line.
    Json,
    /// Lines, for a pipe or a file.
    Plain,
    /// Lines, and a block that changes, for a terminal.
    Live,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let is_live = stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let manner = match (json, is_live) {
            (true, _) => Manner::Json,
            (false, true) => Manner::Live,
            (false, false) => Manner::Plain,
        };
        Self { out: stdout(), manner, paint: Paint::of_stdout(), block: String::new() }
    }
}

impl<W: Write> Screen<W> {
    pub(super) fn is_json(&self) -> bool {
        self.manner == Manner::Json
    }

    pub(super) fn is_live(&self) -> bool {
        self.manner == Manner::Live
    }

    /// A JSON object, where that is what is wanted.
    pub(super) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        if !self.is_json() {
            return Ok(());
        }
        let mut text = serde_json::to_string(object).expect("the demo's objects have text keys only");
        text.push('\n');
        self.write(&text)
    }

    /// Text that stays, of one line or more, where people read.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_json() {
            return Ok(());
        }
        let block = self.block.clone();
        let redrawn = format!("{}{text}\n{}", self.erased(), framed(&block));
        self.write(&redrawn)
    }

    /// Text in one tone.
    pub(super) fn toned(&mut self, tone: Tone, text: &str) -> Result<(), Failure> {
        self.text(&self.paint.tone(tone, text))
    }

    /// Draws the changing block anew; an empty one takes it away.
    pub(super) fn draw(&mut self, block: &str) -> Result<(), Failure> {
        if !self.is_live() || block == self.block {
            return Ok(());
        }
        let redrawn = format!("{}{}", self.erased(), framed(block));
        block.clone_into(&mut self.block);
        self.write(&redrawn)
    }

    /// What takes the block off the terminal.
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

    fn screen(manner: Manner) -> Screen<Vec<u8>> {
        Screen { out: Vec::new(), manner, paint: Paint::off(), block: String::new() }
    }

    fn written(screen: &Screen<Vec<u8>>) -> String {
        String::from_utf8(screen.out.clone()).unwrap()
    }

    #[test]
    fn a_pipe_gets_lines_and_no_block() {
        let mut screen = screen(Manner::Plain);
        screen.draw("block\n").unwrap();
        screen.text("line").unwrap();
        screen.object(&1).unwrap();
        assert_eq!(written(&screen), "line\n");
    }

    #[test]
    fn json_is_nothing_but_objects() {
        let mut screen = screen(Manner::Json);
        screen.draw("block\n").unwrap();
        screen.text("line").unwrap();
        screen.object(&1).unwrap();
        assert_eq!(written(&screen), "1\n");
    }

    #[test]
    fn on_a_terminal_a_line_goes_above_the_block() {
        let mut screen = screen(Manner::Live);
        screen.draw("a\nb\n").unwrap();
        screen.text("line").unwrap();
        screen.draw("").unwrap();
        let block = format!("{WRAP_OFF}a\nb\n{WRAP_ON}");
        assert_eq!(written(&screen), format!("{block}\x1b[2A\x1b[Jline\n{block}\x1b[2A\x1b[J"));
    }
}
