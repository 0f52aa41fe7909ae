//! A report as Markdown, for the terminal and for `docs/bench/pool.md`.

use std::fmt::{self, Display, Formatter};

use super::report::Report;
use super::throughput::{Ratio, ThroughputCell};
use super::variant::Variant;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        head(self, f)?;
        expectations(self, f)?;
        throughput(self, f)?;
        latency(self, f)?;
        cpu(self, f)?;
        fresh(self, f)?;
        lookups(self, f)
    }
}

fn head(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let (host, busy, waiting) = (&report.host, report.plan.busy, report.plan.waiting);
    writeln!(f, "# Benchmark: the connection pool\n")?;
    writeln!(f, "Written by `cargo xtask bench pool`, which measures everything in one run.\n")?;
    writeln!(f, "Machine: {}, {} cores, {}, {}.\n", host.cpu, host.cores, host.kernel, host.rustc)?;
    writeln!(
        f,
        "Client and server share the machine and its cores, and use loopback. In each cell each variant ran for {} \
         windows of {:?} if the server answers at once, and {} windows of {:?} if it waits. The variants took turns. \
         Figures are medians over the windows; ratios are quotients of medians. A ratio *by rounds* is the median of \
         the quotients within one round of turns: other programs disturb it less, but the benchmark does not judge \
         it. [benches/src/pool/mod.rs](../../benches/src/pool/mod.rs) says what the variants do, and where they \
         differ.",
        busy.count, busy.window, waiting.count, waiting.window
    )
}

fn expectations(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n## Expected and measured\n\n| expected | measured (worst cell) | met |\n|---|---|---|")?;
    for expectation in &report.expectations {
        writeln!(
            f,
            "| {} | {:.3} | {} |",
            expectation.claim,
            expectation.measured,
            if expectation.met { "yes" } else { "**no**" }
        )?;
    }
    Ok(())
}

fn throughput(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n## Requests per second\n")?;
    writeln!(
        f,
        "| server waits | bytes | callers | mutex_hold | mutex_open | stream_split | raw_handle | split / hold | \
         split / open | split / raw | split / raw by rounds |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )?;
    for ratio in &report.ratios {
        write!(f, "| {} ms | {} | {} |", ratio.delay_ms, ratio.bytes, ratio.callers)?;
        for cell in Variant::ALL.iter().filter_map(|variant| cell_of(report, ratio, *variant)) {
            write!(f, " {:.0} |", cell.per_second.median)?;
        }
        let Ratio { split_to_hold, split_to_open, split_to_raw, split_to_raw_by_rounds, .. } = ratio;
        writeln!(
            f,
            " **{split_to_hold:.2}** | {split_to_open:.2} | **{split_to_raw:.3}** | {split_to_raw_by_rounds:.3} |"
        )?;
    }
    Ok(())
}

fn latency(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n## Latency in microseconds: median / 99th percentile\n")?;
    writeln!(
        f,
        "Each window begins with an idle server. If callers queue for longer than a window, their true latency is \
         higher than these figures.\n"
    )?;
    writeln!(
        f,
        "| server waits | bytes | callers | mutex_hold | mutex_open | stream_split | raw_handle |\n|---|---|---|---|---|---|---|"
    )?;
    for ratio in &report.ratios {
        write!(f, "| {} ms | {} | {} |", ratio.delay_ms, ratio.bytes, ratio.callers)?;
        for cell in Variant::ALL.iter().filter_map(|variant| cell_of(report, ratio, *variant)) {
            write!(f, " {:.0} / {:.0} |", cell.p50_us, cell.p99_us)?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn cpu(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n## CPU time for each request, client and server together, in microseconds\n")?;
    writeln!(
        f,
        "The ratio, by rounds, is the pool's whole cost: above 1 the pool takes less. Other programs disturb it less \
         than the requests per second.\n"
    )?;
    writeln!(
        f,
        "| server waits | bytes | callers | mutex_hold | mutex_open | stream_split | raw_handle | raw / split |\n\
         |---|---|---|---|---|---|---|---|"
    )?;
    for ratio in &report.ratios {
        write!(f, "| {} ms | {} | {} |", ratio.delay_ms, ratio.bytes, ratio.callers)?;
        for cell in Variant::ALL.iter().filter_map(|variant| cell_of(report, ratio, *variant)) {
            write!(f, " {:.1} |", cell.cpu_us.median)?;
        }
        writeln!(f, " **{:.2}** |", ratio.raw_to_split_cpu)?;
    }
    Ok(())
}

fn fresh(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let fresh = &report.fresh;
    writeln!(f, "\n## Reuse against a fresh connection for each request\n")?;
    writeln!(
        f,
        "One caller, 100 bytes, a server that does not wait. On the pool's connection a request takes {:.0} us. With a \
         fresh connection (handshake, request, close) it takes {:.0} us: **{:.1} times** as long.",
        fresh.reused_us.median, fresh.fresh_us.median, fresh.fresh_to_reused
    )
}

fn lookups(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n## Look-up and return of a ready connection\n")?;
    writeln!(
        f,
        "Nanoseconds, median over {} windows of {:?}. *Median*: the time of one lookup, measured in batches of 100 by \
         each thread. *Core time*: the window times the number of cores in use, divided by the lookups of all \
         threads. It also counts what other programs take of those cores. *Spent*: the time that this process was on \
         a core. The benchmark judges *median* and *spent*.\n",
        report.plan.lookup.count, report.plan.lookup.window
    )?;
    writeln!(f, "| connections | threads | median | core time | spent |\n|---|---|---|---|---|")?;
    for cell in &report.lookups {
        writeln!(
            f,
            "| {} | {} | {:.0} | {:.0} | {:.0} |",
            cell.connections, cell.threads, cell.median_ns.median, cell.core_ns.median, cell.cpu_ns.median
        )?;
    }
    Ok(())
}

/// The cell of one variant under the load of `ratio`. The tables have a line for each load, and the
/// report has the cells in a flat list.
fn cell_of<'a>(report: &'a Report, ratio: &Ratio, variant: Variant) -> Option<&'a ThroughputCell> {
    let load = |cell: &ThroughputCell| (cell.callers, cell.delay_ms, cell.bytes);
    let wanted = (ratio.callers, ratio.delay_ms, ratio.bytes);
    report.throughput.iter().find(|cell| cell.variant == variant && load(cell) == wanted)
}
