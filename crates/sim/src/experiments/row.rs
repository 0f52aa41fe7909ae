//! One row of figures: named cells in order. In JSON the row is one object, in which an empty cell
//! is null.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A name or a remark.
    Text(String),
    /// A count.
    Count(u64),
    /// A measured number, and its number of decimals in a table.
    Real(f64, usize),
    /// A small number, in a table as `1.24e-3`.
    Tiny(f64),
    /// The value was not published or not measured.
    Absent,
}

/// Named cells in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row(Vec<(&'static str, Cell)>);

impl Row {
    /// A row without cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cell.
    #[must_use]
    pub fn with(mut self, name: &'static str, cell: impl Into<Cell>) -> Self {
        self.0.push((name, cell.into()));
        self
    }

    /// Adds a measured number. A value that is not finite is absent.
    #[must_use]
    pub fn real(self, name: &'static str, value: impl Into<Option<f64>>, decimals: usize) -> Self {
        let finite = value.into().filter(|value| value.is_finite());
        self.with(name, finite.map_or(Cell::Absent, |value| Cell::Real(value, decimals)))
    }

    /// Adds a small number. A value that is not finite is absent.
    #[must_use]
    pub fn tiny(self, name: &'static str, value: impl Into<Option<f64>>) -> Self {
        let finite = value.into().filter(|value| value.is_finite());
        self.with(name, finite.map_or(Cell::Absent, Cell::Tiny))
    }

    /// The cells.
    pub fn cells(&self) -> &[(&'static str, Cell)] {
        &self.0
    }

    /// The cell of that name.
    pub fn get(&self, name: &str) -> Option<&Cell> {
        self.0.iter().find(|(of, _)| *of == name).map(|(_, cell)| cell)
    }
}

impl Cell {
    /// The text in a table.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Real(value, decimals) => format!("{value:.decimals$}"),
            Self::Tiny(value) if *value == 0.0 => "0".to_owned(),
            Self::Tiny(value) => format!("{value:.2e}"),
            Self::Absent => "-".to_owned(),
        }
    }

    /// Whether the cell is right-aligned.
    pub fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// Formats a count with a comma between each three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        // A separator stands before each third digit from the right, but not at the front.
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Real(value, _) | Self::Tiny(value) => serializer.serialize_f64(*value),
            Self::Absent => serializer.serialize_none(),
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in &self.0 {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_one_json_object_in_cell_order() {
        let row =
            Row::new().with("mode", "swim").with("n", 8_usize).real("mean", 1.5, 2).real("bad", f64::NAN, 1);
        let json = serde_json::to_string(&row.with("paper", None::<u64>)).unwrap();
        assert_eq!(json, r#"{"mode":"swim","n":8,"mean":1.5,"bad":null,"paper":null}"#);
    }

    #[test]
    fn cells_have_their_table_text() {
        let cells =
            [Cell::Count(0), Cell::Count(999), Cell::Count(1_234_567), Cell::Real(1.256, 2), Cell::Absent];
        assert_eq!(cells.map(|cell| cell.text()), ["0", "999", "1,234,567", "1.26", "-"]);
        assert_eq!([Cell::Tiny(0.001_24), Cell::Tiny(0.0)].map(|cell| cell.text()), ["1.24e-3", "0"]);
    }
}
