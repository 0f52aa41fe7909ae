//! Text for people: colours on a terminal, and tables whose columns line up.

use std::fmt::Display;
use std::io::stdout;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use kinfolk::{Health, NodeState, Tags};

use tabled::builder::Builder;
use tabled::settings::peaker::Priority;
use tabled::settings::{Padding, Style as Lines, Width};

use crate::api::views::OfferView;

/// The number of spaces between two columns.
const GAP: usize = 2;

/// What the output can show: colours and lines of any length, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    /// On a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    is_on: bool,
    /// The width of a terminal in characters. `None` for other outputs: nothing is cut there.
    columns: Option<usize>,
}

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
    /// What standard output can show.
    pub(crate) fn of_stdout() -> Self {
        let is_on = AutoStream::choice(&stdout()) != ColorChoice::Never;
        // It fails if standard output is no terminal. A terminal that does not know its width says
        // 0.
        let size = rustix::termios::tcgetwinsize(stdout()).ok();
        let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Self { is_on, columns }
    }

    /// The same, with lines of any length.
    pub(crate) const fn uncut(self) -> Self {
        Self { columns: None, ..self }
    }

    /// No colours, and lines of any length.
    #[cfg(test)]
    pub(crate) const fn off() -> Self {
        Self { is_on: false, columns: None }
    }

    pub(crate) const fn is_on(self) -> bool {
        self.is_on
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
        if self.is_on { format!("{style}{text}{style:#}") } else { text.to_owned() }
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
/// of the operator, or show the rest of a line in another order.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(is_command) { text.escape_debug().to_string() } else { text.to_owned() }
}

/// Whether a terminal takes the character for a command: a control character, a mark for the
/// direction of the text, or a separator of lines.
fn is_command(c: char) -> bool {
    let changes_order =
        matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || changes_order || matches!(c, '\u{2028}' | '\u{2029}')
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

/// A table with headings. Two spaces separate the columns. The text ends with a line break. Where a
/// terminal is too narrow, the longest cells are cut, and end in `…`: lines that go on in the next
/// one are no table any more.
pub(crate) fn table(paint: Paint, headings: &[&str], rows: &[Vec<Cell>]) -> String {
    let painted = |cell: &Cell| paint.tone(cell.tone, &cell.text);
    let mut builder = Builder::new();
    builder.push_record(headings.iter().map(|heading| painted(&Cell::new(Tone::Faint, heading))));
    for row in rows {
        builder.push_record(row.iter().map(painted));
    }
    let mut table = builder.build();
    table.with(Lines::empty()).with(Padding::new(0, GAP, 0, 0));
    if let Some(columns) = paint.columns {
        // The spaces behind the last column are removed below.
        table.with(Width::truncate(columns + GAP).suffix("…").priority(Priority::max(true)));
    }
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
        let text = table(Paint { is_on: true, ..Paint::off() }, &["state", "x"], &rows);
        assert!(text.contains("\x1b[31mfailed\x1b[0m  b\n"), "{text:?}");
    }

    #[test]
    fn longest_cells_are_cut_on_a_narrow_terminal() {
        let rows =
            [vec![Cell::plain("web-1"), Cell::new(Tone::Bad, "x".repeat(40)), Cell::plain("tag=value")]];
        let narrow = |is_on| table(Paint { is_on, columns: Some(30) }, &["name", "note", "tags"], &rows);
        let text = narrow(false);
        let expected = "name   note          tags\nweb-1  xxxxxxxxxxx…  tag=value\n";
        assert_eq!(text, expected);
        assert_eq!(text.lines().map(|line| line.chars().count()).max(), Some(30));
        assert_eq!(anstream::adapter::strip_str(&narrow(true)).to_string(), expected);
        let wide = table(Paint { is_on: false, columns: Some(30) }.uncut(), &["a", "b", "c"], &rows);
        assert!(wide.contains(&"x".repeat(40)), "{wide}");
    }

    #[test]
    fn control_characters_of_members_are_escaped() {
        let rows = [vec![Cell::plain("a\x1b[2J\nb")]];
        assert_eq!(table(Paint::off(), &["t"], &rows), "t\na\\u{1b}[2J\\nb\n");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(
            printable("\u{e9}t\u{e9} \u{4f60}"),
            "\u{e9}t\u{e9} \u{4f60}",
            "other text stays as it is"
        );
    }
}
