//! The page of an experiment: its bars, tables, and plots, as Markdown, as JSON, or as files in
//! `docs/results/`.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::bar::Bar;
use super::plot::Plot;
use super::table::Table;

/// All results of one experiment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The experiment's name.
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// The command that prints this page.
    pub command: String,
    /// The text that applies to all tables.
    pub text: String,
    /// The promises and their results.
    pub bars: Vec<Bar>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The plots.
    pub plots: Vec<Plot>,
}

impl Page {
    /// An empty page.
    pub fn new(
        name: &'static str,
        title: &'static str,
        settings: &super::Settings,
        text: impl Into<String>,
    ) -> Self {
        let command = format!("cargo run --release -p kinfolk-sim -- {name}{}", settings.args());
        Self { name, title, command, text: text.into(), ..Self::default() }
    }

    /// The promises that are missed without being known misses.
    pub fn broken(&self) -> impl Iterator<Item = &Bar> {
        self.bars.iter().filter(|bar| bar.is_broken())
    }

    /// One JSON object for each row of every table, and one for each bar.
    pub fn json(&self) -> impl Iterator<Item = String> {
        let bars = self.bars_table();
        let bars: Vec<String> = bars.json().collect();
        self.tables.iter().flat_map(Table::json).chain(bars)
    }

    /// Writes the page as `NAME.md` and its plots as `NAME-PLOT.svg` into that directory. Returns
    /// the written paths.
    ///
    /// # Errors
    /// When a file cannot be written. Earlier files stay.
    pub fn write(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(directory)?;
        let text = directory.join(format!("{}.md", self.name));
        fs::write(&text, self.to_string())?;
        let mut written = vec![text];
        for plot in &self.plots {
            let path = directory.join(self.file(plot));
            fs::write(&path, plot.svg())?;
            written.push(path);
        }
        Ok(written)
    }

    fn file(&self, plot: &Plot) -> String {
        format!("{}-{}.svg", self.name, plot.name)
    }

    fn bars_table(&self) -> Table {
        let columns = [("promise", "promised"), ("found", "found"), ("met", "met")];
        let mut table = Table::new("bars", "Promised and found", "", columns);
        self.bars.iter().for_each(|bar| table.push(bar.row()));
        table
    }
}

impl Display for Page {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}\n", self.title)?;
        writeln!(f, "Printed by `{}`: the same figures on every machine.\n", self.command)?;
        writeln!(f, "{}", self.text)?;
        if !self.bars.is_empty() {
            write!(f, "\n{}", self.bars_table())?;
        }
        for table in &self.tables {
            write!(f, "\n{table}")?;
            // A plot follows its table, so that the text of the table explains both.
            for plot in self.plots.iter().filter(|plot| plot.after == table.name) {
                writeln!(f, "\n![{}]({})", plot.title, self.file(plot))?;
            }
        }
        Ok(())
    }
}
