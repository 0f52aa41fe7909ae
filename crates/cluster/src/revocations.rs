//! Revocations of certificates: given to this member, kept in its state directory, and read from
//! there.
//!
//! Each is a file in the folder `revoked` of the state directory, with the text that `kinfolk ca
//! revoke` writes. An operator may put one there. A file that no authority of the cluster has
//! signed changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kinfolk_core::signed::{Attested as _, ContentHash, Revocation};
use kinfolk_core::{ClusterId, NodeId};
use kinfolk_gossip::SwimProtocol;
use kinfolk_swim::Revoked;
use kinfolk_transport::{Authorities, RevokedCertificates, Transport, WallClock, revocation_pem};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::error::ClusterError;
use crate::state_dir::Disk;
use crate::task::BackgroundTask;

/// The folder in the state directory.
const FOLDER: &str = "revoked";
/// How often the folder is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
/// At most this many files are read: as many as the protocol keeps.
const FILES_MAX: usize = 4_096;
/// At most this many bytes of a file are read: a revocation has far fewer.
const TEXT_BYTES_MAX: u64 = 16 * 1024;

impl Cluster {
    /// Revokes certificates of a member. `statement` is the text that `kinfolk ca revoke` wrote: an
    /// authority of this cluster has signed it.
    ///
    /// It reaches all members by gossip, also those that were isolated, once they are back. Each
    /// closes its connections to the member, removes it from its view, and refuses its certificate
    /// from then on. Each keeps the revocation as long as a certificate that it covers would be
    /// valid, and longer than its process with a state directory. The member cannot undo it. With a
    /// new certificate, issued later, it may join again.
    ///
    /// Each member keeps up to 4,096 revocations. Returns the name of the revoked member.
    ///
    /// # Errors
    /// [`ClusterError::Identity`] if the text is no revocation, is for another cluster, or no
    /// authority of this cluster has signed it. [`ClusterError::RevocationEnded`] and
    /// [`ClusterError::RevocationsFull`]. [`ClusterError::Gossip`] if this member was shut down. In
    /// each case nothing has changed.
    ///
    /// # Cancel safety
    /// The revocation may be kept even if the future is dropped.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn shut_out(cluster: &kinfolk::Cluster) -> Result<(), Box<dyn std::error::Error>> {
    /// cluster.revoke(&std::fs::read_to_string("web-3.revoked.pem")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke(&self, statement: &str) -> Result<NodeId, ClusterError> {
        let authorities = self.identity().authorities();
        let revocation = authorities.revocation(statement).map_err(ClusterError::Identity)?;
        let (node, until) = (revocation.node.clone(), revocation.until);
        match self.inner.protocol.revoke(revocation).await? {
            Revoked::New | Revoked::Known => Ok(node),
            Revoked::Ended => Err(ClusterError::RevocationEnded { until }),
            Revoked::Full => Err(ClusterError::RevocationsFull),
        }
    }
}

/// The folder with the revocations of a member.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    cluster: ClusterId,
    disk: Disk,
}

/// A file, when it was written, and its contents.
type Found = (PathBuf, SystemTime, std::io::Result<String>);

impl Folder {
    pub(crate) fn in_state_dir(state_dir: &Path, cluster: &ClusterId, disk: Disk) -> Self {
        Self { path: state_dir.join(FOLDER), cluster: cluster.clone(), disk }
    }

    /// The verified revocations in it. Removes the files of those that have ended, and of those
    /// that another one covers. Blocks on the disk.
    pub(crate) fn load(&self, authorities: &Authorities, clock: &WallClock) -> Vec<Revocation> {
        let now = clock.since_epoch().as_secs();
        let mut kept: Vec<(PathBuf, Revocation)> = Vec::new();
        for (path, _, text) in self.read(&BTreeMap::new()) {
            match verified(authorities, text) {
                Ok(one) if one.has_ended(now) || kept.iter().any(|(_, known)| known.covers(&one)) => {
                    remove(&path);
                }
                Ok(one) => {
                    kept.extract_if(.., |(_, known)| one.covers(known)).for_each(|(path, _)| remove(&path));
                    kept.push((path, one));
                }
                Err(error) => warn_of(&path, &error),
            }
        }
        kept.into_iter().map(|(_, revocation)| revocation).collect()
    }

    /// The files that are new or have changed since they were `seen`.
    fn read(&self, seen: &BTreeMap<PathBuf, SystemTime>) -> Vec<Found> {
        // Without a folder there are no revocations.
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "pem"));
        paths.sort();
        if paths.len() > FILES_MAX && seen.is_empty() {
            warn_of_many(&self.path, paths.len());
        }
        paths.truncate(FILES_MAX);
        let found = paths.into_iter().filter_map(|path| {
            let written = fs::metadata(&path).and_then(|file| file.modified());
            let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
            if seen.get(&path) == Some(&written) {
                return None;
            }
            let mut text = String::new();
            let read =
                fs::File::open(&path).and_then(|file| file.take(TEXT_BYTES_MAX).read_to_string(&mut text));
            Some((path, written, read.map(|_| text)))
        });
        found.collect()
    }

    /// Writes those that have no file yet.
    fn write(&self, all: &[Revocation]) -> std::io::Result<()> {
        for revocation in all {
            let path = self.path.join(file_name(revocation));
            if path.exists() {
                continue;
            }
            fs::create_dir_all(&self.path)?;
            let next = path.with_extension("next");
            let mut file = fs::File::create(&next)?;
            file.write_all(revocation_pem(&self.cluster, revocation).as_bytes())?;
            // Before the rename, so that a crash leaves no empty file.
            file.sync_all()?;
            fs::rename(&next, &path)?;
            fs::File::open(&self.path)?.sync_all()?;
        }
        Ok(())
    }
}

/// The revocation in the contents of a file.
fn verified(authorities: &Authorities, text: std::io::Result<String>) -> Result<Revocation, String> {
    let text = text.map_err(|error| format!("cannot read the file: {error}"))?;
    authorities.revocation(&text).map_err(|error| error.to_string())
}

/// Removes a file that is of no use any more. If it cannot be removed, it is only read again.
fn remove(path: &Path) {
    let _left = fs::remove_file(path);
}

/// A name of its own for each revocation.
fn file_name(revocation: &Revocation) -> String {
    let mut bytes = revocation.proof.signature.as_bytes().to_vec();
    revocation.write_content(&mut bytes);
    let hash = format!("{:?}", ContentHash::of(&bytes));
    format!("{}-{}.pem", revocation.node, &hash[..16])
}

fn warn_of_many(folder: &Path, files: usize) {
    let folder = folder.display();
    // The folder `revoked` of the state directory has more files than the member reads, which is
    // the number that it keeps. Those whose names come last are ignored. What to do: remove files
    // of certificates that have expired, or replace the authority.
    tracing::warn!(%folder, files, max = FILES_MAX, "ignored revocations: there are too many files");
}

fn warn_of(path: &Path, error: &dyn std::fmt::Display) {
    // A file in the folder `revoked` of the state directory is no revocation of this cluster, is
    // damaged, or cannot be read. It changes nothing. What to do: remove it, or replace it by the
    // file that `kinfolk ca revoke` wrote.
    tracing::warn!(path = %path.display(), cause = %error, "ignored a file in the folder of revocations");
}

/// Keeps the folder and the protocol equal, until the task is stopped.
pub(crate) fn watch(
    folder: Folder,
    transport: Transport,
    protocol: SwimProtocol,
    changed: Arc<Notify>,
) -> BackgroundTask {
    BackgroundTask::start(async move {
        let (mut seen, mut failing) = (BTreeMap::new(), false);
        loop {
            let all = transport.revoked().all();
            let of = folder.clone();
            let written = folder.disk.run(move || of.write(&all)).await;
            if let Some(Err(error)) = &written
                && !failing
            {
                // The disk is full, or the folder cannot be written. The revocations are applied,
                // and the next instance of this member learns of them from others. What to do: free
                // space, or check the permissions of the state directory.
                tracing::warn!(%error, "cannot keep the revocations in the state directory; trying again every 5 s");
            }
            failing = matches!(written, Some(Err(_)));
            let (of, before) = (folder.clone(), seen.clone());
            for (path, at, text) in folder.disk.run(move || of.read(&before)).await.into_iter().flatten() {
                match verified(&transport.identity().authorities(), text) {
                    Ok(revocation) => {
                        if protocol.revoke(revocation).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => warn_of(&path, &error),
                }
                seen.insert(path, at);
            }
            tokio::select! {
                biased;
                () = changed.notified() => {}
                () = sleep(LOOKED_AT_EVERY) => {}
            }
        }
    })
}

/// A set of these revocations.
pub(crate) fn set_of(revocations: Vec<Revocation>, clock: &WallClock, into: &RevokedCertificates) {
    let now = clock.since_epoch().as_secs();
    for revocation in revocations {
        into.insert(now, revocation);
    }
}
