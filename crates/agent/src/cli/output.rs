//! The forms of a command's output.

use clap::ValueEnum;

/// The form of a command's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for people
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// One JSON object
    Json,
    /// One JSON object a line
    Jsonl,
}
