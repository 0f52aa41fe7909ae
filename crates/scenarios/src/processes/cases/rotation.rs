//! All certificates are replaced on the disk while the applications of all members call each other,
//! and then the authority. Nobody is suspected, no call fails, and no process starts again.
//!
//! The members are not agents: they embed the library, as the applications do that open streams.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kinfolk::ROTATION_ENDS_WITHIN;
use tokio::time::{Instant, sleep};

use super::CaseRun;
use crate::processes::cluster::{AgentCluster, DEADLINE};
use crate::processes::embedded::{Ask, Report};
use crate::processes::member::Member;

/// How often the members are asked for their reports.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How long it may take until all know a change: half a second until a member looks at its files,
/// and the gossip.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);
/// How many calls of each kind each member makes before the first wave: some to each other member.
const CALLS_BEFORE: u64 = 20;

/// What an operator does to the files of all members at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wave {
    /// Each gets a new certificate.
    Renew,
    /// Each trusts the new authority too.
    TrustBoth,
    /// Each gets a certificate of the new authority.
    Reissue,
    /// Each trusts the new authority alone.
    DropOld,
}

impl Wave {
    const ALL: [Self; 4] = [Self::Renew, Self::TrustBoth, Self::Reissue, Self::DropOld];

    fn text(self) -> &'static str {
        match self {
            Self::Renew => "all certificates are renewed",
            Self::TrustBoth => "the new authority is trusted too",
            Self::Reissue => "all certificates are of the new authority",
            Self::DropOld => "the old authority is not trusted any more",
        }
    }

    /// How many authorities a member trusts afterwards.
    fn authorities(self) -> usize {
        match self {
            Self::TrustBoth | Self::Reissue => 2,
            Self::Renew | Self::DropOld => 1,
        }
    }

    /// Replaces the files of a member.
    fn replace_files(self, cluster: &AgentCluster, member: &Member) -> Result<()> {
        let (old, new) = (cluster.folder().to_owned(), cluster.folder().join("new"));
        let (name, folder) = (member.name.as_str(), text(&member.folder)?);
        let renew = |by: &Path| cluster.kinfolk(&["ca", "renew", text(by)?, name, "--out", folder]).map(drop);
        let trusted = |by: &[&Path]| -> Result<()> {
            let certificates = by.iter().map(|by| fs::read_to_string(by.join("ca.pem")));
            let bundle = certificates.collect::<std::io::Result<String>>()?;
            Ok(fs::write(member.folder.join("ca.pem"), bundle)?)
        };
        match self {
            Self::Renew => renew(&old),
            Self::TrustBoth => trusted(&[&old, &new]),
            Self::Reissue => renew(&new),
            Self::DropOld => trusted(&[&new]),
        }
    }
}

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let mut members = run.cluster.start_embedded()?;
    run.cluster.kinfolk(&["ca", "init", text(&run.cluster.folder().join("new"))?, "--cluster", "chaos"])?;
    let size = members.len();
    let formed = |report: &Report| {
        let calls = &report.calls;
        let all_answer = calls.answered == 2 * (size - 1);
        report.alive.len() == size && all_answer && calls.short.min(calls.long) >= CALLS_BEFORE
    };
    until(&mut members, "all members call each other", formed).await?;
    for wave in Wave::ALL {
        let begun = Instant::now();
        for member in &members {
            wave.replace_files(&run.cluster, member)?;
        }
        let certificates = certificates(&run.cluster, &members)?;
        let known = |report: &Report| {
            let is_current = |(name, known): (&String, &String)| certificates.get(name) == Some(known);
            is_current((&report.name, &report.certificate))
                && report.known.len() == size - 1
                && report.known.iter().all(is_current)
                && report.authorities == wave.authorities()
        };
        until(&mut members, wave.text(), known).await?;
        run.outcome.bar(wave.text(), KNOWN_WITHIN, begun.elapsed());
        // The quick form begins the next wave while connections are still replaced.
        if !run.extent.quick {
            sleep(ROTATION_ENDS_WITHIN.saturating_sub(begun.elapsed())).await;
        }
    }
    end(run, &mut members).await
}

/// Ends the streams that were open all the time. Then all connections must be of the new
/// certificates. Checks that nothing has failed.
async fn end(run: &mut CaseRun, members: &mut [Member]) -> Result<()> {
    let certificates = certificates(&run.cluster, members)?;
    let is_new = |(peer, certificate): &(String, String)| certificates.get(peer) == Some(certificate);
    for member in members.iter_mut() {
        let report = member.ask(Ask::Report, DEADLINE).await?;
        let kept = report.connections.iter().filter(|conn| !is_new(conn)).count();
        run.outcome.note("connections of former certificates, which open streams keep", kept as u64);
    }
    let begun = Instant::now();
    for member in members.iter_mut() {
        member.ask(Ask::EndCalls, DEADLINE).await?;
    }
    let replaced = |report: &Report| !report.connections.is_empty() && report.connections.iter().all(is_new);
    let reports = until(members, "all connections are of the new certificates", replaced).await?;
    let what = "all connections are of the new certificates, after the last stream has ended";
    run.outcome.bar(what, ROTATION_ENDS_WITHIN, begun.elapsed());
    for report in reports {
        let Report { name, alive, alarms, alarm_counters, calls, rotations, .. } = report;
        run.outcome.note("calls of each member on new streams", calls.short);
        run.outcome.note("calls of each member on streams that stayed open", calls.long);
        run.outcome.note("rotations of each member", rotations);
        let mut broken = |what: String| run.outcome.broken.push(format!("{name}: {what}"));
        if alive.len() != certificates.len() {
            broken(format!("it sees {alive:?} alive"));
        }
        alarms.into_iter().for_each(&mut broken);
        for (counter, value) in alarm_counters.into_iter().filter(|(_, value)| *value > 0) {
            broken(format!("its counter `{counter}` is {value}"));
        }
        if calls.failed > 0 {
            broken(format!("{} calls failed: {}", calls.failed, calls.failures.join("; ")));
        }
    }
    Ok(())
}

/// Asks all members until each report is `wished`. Returns the reports.
///
/// # Errors
/// A member has ended, or its report is another one at the deadline.
async fn until(members: &mut [Member], what: &str, wished: impl Fn(&Report) -> bool) -> Result<Vec<Report>> {
    let begun = Instant::now();
    loop {
        let mut reports = Vec::new();
        for member in members.iter_mut() {
            reports.push(member.ask(Ask::Report, DEADLINE).await?);
        }
        match reports.iter().position(|report| !wished(report)) {
            None => return Ok(reports),
            Some(at) if begun.elapsed() >= DEADLINE => {
                bail!("{} does not come to: {what}; its report is {:?}", members[at].name, reports[at]);
            }
            Some(_) => sleep(POLL_INTERVAL).await,
        }
    }
}

/// The fingerprints of the certificates in the members' files, by name.
fn certificates(cluster: &AgentCluster, members: &[Member]) -> Result<BTreeMap<String, String>> {
    let of = |member: &Member| {
        let file = member.folder.join(format!("{}.pem", member.name));
        let shown = cluster.kinfolk(&["ca", "show", text(&file)?])?;
        let line = shown.lines().find_map(|line| line.strip_prefix("fingerprint"));
        Ok((member.name.clone(), line.context("it shows a fingerprint")?.trim().to_owned()))
    };
    members.iter().map(of).collect()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("the path {} is not UTF-8", path.display()))
}
