//! The room that is left on the disk on which cargo builds. A compiler that finds no room does not
//! say which disk is full, so the gate prints the room after each step.

use crate::shell;

const GIB: u64 = 1 << 30;

/// Below this the next build may fail.
const SCARCE: u64 = GIB;

/// The bytes that are left for the user who runs the task. `None` if the system does not say.
pub(crate) fn left() -> Option<u64> {
    // The folder does not exist before the first build; then its nearest parent tells.
    let target = shell::target();
    let disk = target.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The room, as a part of a line of the gate's report.
pub(crate) fn shown(left: Option<u64>) -> String {
    left.map_or_else(String::new, |bytes| {
        format!(", {}.{} GiB left on the disk", bytes / GIB, bytes % GIB * 10 / GIB)
    })
}

/// What to add to the failure of a step while there is little room.
pub(crate) fn advice(left: Option<u64>) -> &'static str {
    if left.is_some_and(|bytes| bytes < SCARCE) {
        "\nthe disk is nearly full, which may be the cause; free some room, or set CARGO_TARGET_DIR to a \
         folder on another disk"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_of_this_machine_is_known() {
        assert!(left().is_some());
    }

    #[test]
    fn room_is_shown_in_tenths_rounded_down() {
        assert_eq!(shown(Some(3 * GIB + GIB / 2 + 1)), ", 3.5 GiB left on the disk");
        assert_eq!(shown(Some(GIB - 1)), ", 0.9 GiB left on the disk");
        assert_eq!(shown(None), "");
    }

    #[test]
    fn only_a_full_disk_is_named_as_a_cause() {
        assert!(advice(Some(SCARCE - 1)).contains("nearly full"));
        assert_eq!((advice(Some(SCARCE)), advice(None)), ("", ""));
    }
}
