//! Reads the certificate, the key, and the authorities again when one of the files has changed. A
//! [reload](super::reload) reads them too.
//!
//! The three files are replaced one after the other, so a change counts only once all have been
//! the same for one look. Files that do not fit change nothing.

use std::time::Duration;

use kinfolk::{Cluster, NodeIdentity};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::identity::warn_of_open_key;
use crate::identity_files::{IdentityFiles, Stamp};

/// How often the agent looks at the files. A change takes effect within twice this time.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// How often it tries files again that did not fit, even if they have not changed: a certificate
/// may become valid.
const TRIED_AGAIN_EVERY: Duration = Duration::from_mins(1);

/// Keeps the identity of `cluster` as the files have it. Returns never.
pub(super) async fn run(cluster: Cluster, files: watch::Receiver<IdentityFiles>) {
    let mut watch = Watch::default();
    loop {
        sleep(LOOKED_AT_EVERY).await;
        let (of, now) = (files.borrow().clone(), Instant::now());
        let files = of.clone();
        // Files may be on a slow disk, and nothing else of the agent may wait for that.
        let Ok(stamps) = tokio::task::spawn_blocking(move || of.stamps()).await else { continue };
        if !watch.is_due(now, stamps) {
            continue;
        }
        let of = files.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || of.read()).await else { continue };
        let loaded = match read {
            Ok(identity) => load(&cluster, identity, &files).await.map(drop),
            Err(failure) => Err(failure.to_string()),
        };
        watch.tried(now, loaded.err());
    }
}

/// Uses this identity, if it is another one than before. Returns the settings whose files changed.
pub(super) async fn load(
    cluster: &Cluster,
    identity: NodeIdentity,
    files: &IdentityFiles,
) -> Result<Vec<&'static str>, String> {
    let (before, after) = (cluster.identity(), identity.certificate());
    let is_same = [
        ("cert", before.certificate().der() == after.der()),
        ("ca", before.authorities().trust() == identity.authorities().trust()),
    ];
    let changed: Vec<_> =
        is_same.into_iter().filter_map(|(name, is_same)| (!is_same).then_some(name)).collect();
    if changed.is_empty() {
        return Ok(changed);
    }
    let (authorities, expires_unix_secs) =
        (identity.authorities().trust().len(), identity.expires_unix_secs());
    cluster.rotate(identity).await.map_err(|error| files.explain(&error))?;
    warn_of_open_key(&files.key);
    // The agent uses the new files. New connections use them at once, and the others are replaced
    // within 15 s. What to do: nothing.
    tracing::info!(
        certificate = %after.fingerprint(), expires_unix_secs, authorities,
        "loaded the certificate, the key and the authorities again"
    );
    Ok(changed)
}

/// Decides when the files are read. Pure: the stamps of the files in, yes or no out.
#[derive(Debug, Default)]
struct Watch {
    /// The stamps at the last look.
    seen: Option<[Stamp; 3]>,
    /// The stamps at which the files were read.
    read: Option<[Stamp; 3]>,
    /// When files did not fit, and why.
    failed: Option<(Instant, String)>,
}

impl Watch {
    /// Whether the files must be read now.
    fn is_due(&mut self, now: Instant, stamps: [Stamp; 3]) -> bool {
        let is_stable = self.seen.replace(stamps) == Some(stamps);
        let is_new = self.read != Some(stamps);
        let again = self.failed.as_ref().is_some_and(|(at, _)| now.duration_since(*at) >= TRIED_AGAIN_EVERY);
        let due = is_stable && (is_new || again);
        if due {
            self.read = Some(stamps);
        }
        due
    }

    /// The files were read. Logs each reason once, if they do not fit.
    fn tried(&mut self, now: Instant, error: Option<String>) {
        let before = self.failed.take();
        let Some(error) = error else { return };
        if before.is_none_or(|(_, before)| before != error) {
            // A file is half written, does not fit the others, has expired, or is that of another
            // member or cluster. Nothing has changed: the agent goes on with what it had. What to
            // do: follow the cause, and replace the file; the agent reads it again by itself.
            tracing::error!(
                cause = error,
                "cannot use the changed certificate files; the former ones stay in use"
            );
        }
        self.failed = Some((now, error));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn stamps(number: u64) -> [Stamp; 3] {
        [Some((SystemTime::UNIX_EPOCH, number, 1)), None, None]
    }

    #[test]
    fn change_counts_once_it_is_stable() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert!(!watch.is_due(now, stamps(1)), "it may still change");
        assert!(watch.is_due(now, stamps(1)));
        assert!(!watch.is_due(now, stamps(1)), "it was read");
        for number in 2..5 {
            assert!(!watch.is_due(now, stamps(number)), "it changes at each look");
        }
        assert!(watch.is_due(now, stamps(4)));
    }

    #[test]
    fn files_that_did_not_fit_are_tried_again_after_a_minute() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert!(!watch.is_due(now, stamps(1)));
        assert!(watch.is_due(now, stamps(1)));
        watch.tried(now, Some("not valid yet".to_owned()));
        assert!(!watch.is_due(now + TRIED_AGAIN_EVERY / 2, stamps(1)));
        assert!(watch.is_due(now + TRIED_AGAIN_EVERY, stamps(1)));
        watch.tried(now + TRIED_AGAIN_EVERY, None);
        assert!(!watch.is_due(now + TRIED_AGAIN_EVERY * 3, stamps(1)));
    }
}
