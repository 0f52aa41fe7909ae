//! A table of rows under one heading, as Markdown. The columns are aligned, so that it is readable
//! in a terminal too.

use std::fmt::{self, Display, Formatter};

use super::row::Row;

/// A column: the name of its cells, and its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name of the cells.
    pub cell: &'static str,
    /// The heading.
    pub heading: &'static str,
}

/// Rows under one heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// A short name: the value of `table` in the JSON of each row.
    pub name: &'static str,
    /// The heading.
    pub title: String,
    /// The set-up, the number of runs, and how to read the columns.
    pub text: String,
    /// The columns in order. Cells without a column appear only in the JSON.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Table {
    /// An empty table with these columns, each a pair of cell name and heading.
    pub fn new<const N: usize>(
        name: &'static str,
        title: impl Into<String>,
        text: impl Into<String>,
        columns: [(&'static str, &'static str); N],
    ) -> Self {
        let columns = Self::columns(columns);
        Self { name, title: title.into(), text: text.into(), columns, rows: Vec::new() }
    }

    /// Columns from pairs of cell name and heading.
    pub fn columns(pairs: impl IntoIterator<Item = (&'static str, &'static str)>) -> Vec<Column> {
        pairs.into_iter().map(|(cell, heading)| Column { cell, heading }).collect()
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Each row as one JSON object that starts with the table's name.
    ///
    /// # Panics
    /// Never: texts and numbers are valid JSON.
    pub fn json(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(|row| {
            let mut whole = Row::new().with("table", self.name);
            for (name, cell) in row.cells() {
                whole = whole.with(name, cell.clone());
            }
            serde_json::to_string(&whole).expect("texts and numbers are valid JSON")
        })
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        if !self.text.is_empty() {
            writeln!(f, "{}\n", self.text)?;
        }
        let texts: Vec<Vec<String>> = self.rows.iter().map(|row| self.texts(row)).collect();
        // Counts characters, not bytes: `±` is two bytes wide.
        let width = |at: usize| {
            let cells = texts.iter().map(|row| row[at].chars().count());
            cells.chain([self.columns[at].heading.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let right: Vec<bool> = self.columns.iter().map(|column| self.is_numeric(column)).collect();
        let headings: Vec<String> = self.columns.iter().map(|column| column.heading.to_owned()).collect();
        line(f, &headings, &widths, &right)?;
        for (width, right) in widths.iter().zip(&right) {
            write!(f, "|{}{}", "-".repeat(width + 1), if *right { ":" } else { "-" })?;
        }
        writeln!(f, "|")?;
        texts.iter().try_for_each(|row| line(f, row, &widths, &right))
    }
}

impl Table {
    fn texts(&self, row: &Row) -> Vec<String> {
        let text = |column: &Column| row.get(column.cell).map_or_else(|| "-".to_owned(), super::Cell::text);
        self.columns.iter().map(text).collect()
    }

    fn is_numeric(&self, column: &Column) -> bool {
        self.rows.iter().filter_map(|row| row.get(column.cell)).all(super::Cell::is_number)
    }
}

fn line(f: &mut Formatter<'_>, cells: &[String], widths: &[usize], right: &[bool]) -> fmt::Result {
    for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
        if *right {
            write!(f, "| {cell:>width$} ")?;
        } else {
            write!(f, "| {cell:<width$} ")?;
        }
    }
    writeln!(f, "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let mut table = Table::new("t", "Title", "Set-up.", [("mode", "mode"), ("mean", "mean, s")]);
        table.push(Row::new().with("mode", "swim").real("mean", 1.25, 1).with("seed", 3_u64));
        table.push(Row::new().with("mode", "lifeguard"));
        let expected = "## Title\n\nSet-up.\n\n\
                        | mode      | mean, s |\n\
                        |-----------|--------:|\n\
                        | swim      |     1.2 |\n\
                        | lifeguard |       - |\n";
        assert_eq!(table.to_string(), expected);
        assert_eq!(table.json().next().unwrap(), r#"{"table":"t","mode":"swim","mean":1.25,"seed":3}"#);
    }
}
