//! Failure detection: probes, round trips, suspicions, and how healthy this member itself is.

use std::fmt;

use kinfolk_swim::SwimStats;

use super::page::Page;

pub(super) fn write(page: &mut Page<'_>, swim: &SwimStats) -> fmt::Result {
    probes(page, swim)?;
    verdicts(page, swim)?;
    own_health(page, swim)
}

fn probes(page: &mut Page<'_>, swim: &SwimStats) -> fmt::Result {
    page.counter("probes", "Direct probes that this member started.", swim.probes)?;
    page.counters(
        "probe_results",
        "Results of probes. An unanswered probe may get an indirect answer later.",
        "result",
        [
            ("answered", swim.acks),
            ("answered_indirectly", swim.indirect_acks),
            ("unanswered", swim.probes_failed),
            ("void", swim.probes_void),
        ],
    )?;
    page.histogram(
        "probe_round_trip_seconds",
        "Time from a probe to its direct answer, with the time in the queues of this member.",
        swim.round_trips.sum(),
        swim.round_trips.buckets(),
    )?;
    page.counter("late_replies", "Answers that came after their probe had ended.", swim.late_replies)?;
    page.counter(
        "probes_acknowledged",
        "Probes without an answer whose target acknowledged packets: its process runs, and is late.",
        swim.probes_late,
    )?;
    page.counters(
        "relays",
        "Indirect probes that other members asked this one for.",
        "outcome",
        [("made", swim.relays), ("refused", swim.relays_refused)],
    )?;
    page.counters(
        "port_checks",
        "Checks whether the port of a silent member is closed.",
        "outcome",
        [("made", swim.port_checks), ("refused", swim.port_checks_refused)],
    )
}

fn verdicts(page: &mut Page<'_>, swim: &SwimStats) -> fmt::Result {
    page.counter(
        "suspicions_raised",
        "Suspicions that this member raised by its own evidence.",
        swim.suspicions,
    )?;
    page.counter("failures_declared", "Members that this member itself declared failed.", swim.failures)?;
    page.counter("refutations", "Claims about this member that it refuted.", swim.refutations)?;
    page.counter("accusations", "Accusations of other members that this member heard of.", swim.accusations)?;
    page.counter(
        "accusations_refuted",
        "Accusations of other members that their subject refuted.",
        swim.accusations_refuted,
    )?;
    page.counter(
        "claims_unproved",
        "Claims that a member is suspect or failed without enough accusations. They changed nothing.",
        swim.claims_unproved,
    )?;
    page.counter(
        "verdicts_held",
        "Times that this member held a verdict back: much of the group was silent, or it was late.",
        swim.verdicts_held,
    )?;
    page.counter(
        "isolated",
        "Times that neither a silent member nor any witness answered this member.",
        swim.isolated,
    )?;
    page.counter(
        "return_checks_failed",
        "Times that this member reached too few members to refute its own failure.",
        swim.return_checks_failed,
    )?;
    page.counter(
        "probations",
        "Times that this member was declared failed again soon after its return.",
        swim.probations,
    )
}

fn own_health(page: &mut Page<'_>, swim: &SwimStats) -> fmt::Result {
    page.gauge(
        "local_health_score",
        "Lifeguard's score of this member's own health. 0 is healthy; higher stretches time-outs.",
        swim.local_health,
    )?;
    page.counter("pauses", "Times that this member was paused and voided its open probes.", swim.pauses)?;
    page.counter(
        "late_periods",
        "Times that this member became late with its timers and messages, so that it judged nobody.",
        swim.times_late,
    )?;
    page.counters(
        "clock_jumps",
        "Times that the wall clock jumped by 1 s or more between two readings.",
        "direction",
        [("ahead", swim.clock_jumps_ahead), ("back", swim.clock_jumps_back)],
    )?;
    page.counter(
        "claims_refused",
        "Claims with an incarnation more than 24 h ahead of the wall clock. They changed nothing.",
        swim.claims_refused,
    )
}
