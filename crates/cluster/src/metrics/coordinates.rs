//! The coordinate of this member: how well it is known, and what it cost.

use std::fmt;

use super::page::Page;
use crate::coordinates::CoordinateStats;

pub(super) fn write(page: &mut Page<'_>, stats: &CoordinateStats) -> fmt::Result {
    // Without a measurement there is no error to show.
    page.gauges(
        "coordinate_error_ratio",
        "Relative error of this member's own estimates of round trips: at 0.1 they were 10 % off.",
        stats.current.iter().map(|coordinate| ([], coordinate.error())),
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
