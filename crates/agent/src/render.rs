//! Text for people: colours on a terminal, and tables whose columns line up.

use std::fmt::Display;
use std::io::stdout;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use kinfolk::{Health, NodeState, Tags};

use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Lines};

use crate::api::views::OfferView;

/// Whether to use colours: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(bool);

/// The meaning of a text, which its colour shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
    Left,
}

impl Paint {
    /// Colours if standard output is a terminal and `NO_COLOR` is not set.
    pub(crate) fn of_stdout() -> Self {
        Self(AutoStream::choice(&stdout()) != ColorChoice::Never)
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) const fn off() -> Self {
        Self(false)
    }

    pub(crate) const fn is_on(self) -> bool {
        self.0
    }

    /// `text` in the colour of `tone`.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warning => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Left => AnsiColor::Blue.on_default(),
        };
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

impl Tone {
    /// The tone of a member in this state.
    pub(crate) const fn of(state: NodeState) -> Self {
        match state {
            NodeState::Alive => Self::Good,
            NodeState::Suspect => Self::Warning,
            NodeState::Failed => Self::Bad,
            NodeState::Left => Self::Left,
        }
    }

    /// The tone of a member or a service with this health.
    pub(crate) const fn of_health(health: Health) -> Self {
        match health {
            Health::Passing => Self::Good,
            Health::Warning => Self::Warning,
            Health::Critical => Self::Bad,
            Health::Maintenance => Self::Left,
        }
    }
}

/// One cell of a table. Its text takes one line: control characters, which tags may hold, are
/// escaped.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(tone: Tone, text: impl Display) -> Self {
        Self { text: printable(&text.to_string()), tone }
    }

    pub(crate) fn plain(text: impl Display) -> Self {
        Self::new(Tone::Plain, text)
    }

    pub(crate) fn state(state: NodeState) -> Self {
        Self::new(Tone::of(state), state)
    }
}

/// Tags in one line.
pub(crate) fn tags(tags: &Tags) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// Services in one line.
pub(crate) fn services(services: &[OfferView]) -> String {
    services.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// `text` with escaped control characters. A member's tags could else send commands to the terminal
/// of the operator.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text.to_owned() }
}

/// Splits `text` between words into lines of at most `width` characters. A longer word gets a line
/// of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A table with headings. Two spaces separate the columns. The text ends with a line break.
pub(crate) fn table(paint: Paint, headings: &[&str], rows: &[Vec<Cell>]) -> String {
    let painted = |cell: &Cell| paint.tone(cell.tone, &cell.text);
    let mut builder = Builder::new();
    builder.push_record(headings.iter().map(|heading| painted(&Cell::new(Tone::Faint, heading))));
    for row in rows {
        builder.push_record(row.iter().map(painted));
    }
    let mut table = builder.build();
    table.with(Lines::empty()).with(Padding::new(0, 2, 0, 0));
    // The library fills each line up to the width of the table.
    let text = table.to_string();
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_spaces() {
        let rows = [
            vec![Cell::plain("a"), Cell::state(NodeState::Alive), Cell::plain("x=1")],
            vec![Cell::plain("long-name"), Cell::state(NodeState::Suspect), Cell::plain("")],
        ];
        let expected = "name       state    tags\na          alive    x=1\nlong-name  suspect\n";
        assert_eq!(table(Paint::off(), &["name", "state", "tags"], &rows), expected);
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("ab cd  ef\ngh", 5), ["ab cd", "ef gh"]);
        assert_eq!(wrap("a enormous b", 5), ["a", "enormous", "b"]);
    }

    #[test]
    fn colours_do_not_move_columns() {
        let rows = [vec![Cell::state(NodeState::Failed), Cell::plain("b")]];
        let text = table(Paint(true), &["state", "x"], &rows);
        assert!(text.contains("\x1b[31mfailed\x1b[0m  b\n"), "{text:?}");
    }

    #[test]
    fn control_characters_of_members_are_escaped() {
        let rows = [vec![Cell::plain("a\x1b[2J\nb")]];
        assert_eq!(table(Paint::off(), &["t"], &rows), "t\na\\u{1b}[2J\\nb\n");
    }
}
