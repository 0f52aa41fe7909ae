//! The coordinate of this member: how well it is known, and what it cost.

use std::fmt;

use kinfolk_core::Coordinate;

use super::page::Page;
use crate::coordinates::CoordinateStats;

pub(super) fn write(page: &mut Page<'_>, stats: &CoordinateStats) -> fmt::Result {
    page.gauge(
        "coordinate_error_ratio",
        "Relative error of this member's own estimates of round trips. 1.5 without a measurement.",
        stats.current.map_or(f64::from(Coordinate::ERROR_MAX) / 1_000.0, |current| current.error()),
    )?;
    page.counters(
        "coordinate_samples",
        "Round trips that this member measured for its coordinate.",
        "outcome",
        [("used", stats.samples), ("refused", stats.refused)],
    )?;
    page.counter(
        "coordinate_statements",
        "Coordinates that this member has stated to the others.",
        stats.statements,
    )
}
