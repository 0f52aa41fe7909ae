//! The task that verifies. It takes one message after another from the queue, checks some
//! signatures of it, and lets other tasks run after each of them.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::RegistryView;
use kinfolk_core::signed::{Attested, Refusal, verify_item};
use kinfolk_transport::{Authorities, Certificate};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use super::Checked;
use super::fetch::{Fetched, Fetches};
use super::job::{Job, Looked};
use super::known::is_known;
use super::queue::Queue;
use super::recent::Recent;
use super::report::Report;
use super::verifier::Verifier;
use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::stats::{Counters, count};

/// How many signatures of one message are checked before the next peer has its turn.
const SIGNATURES_IN_A_TURN: usize = 16;
/// How often the messages that wait for certificates are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// The task with all its state.
pub(super) struct Task<C> {
    /// Changes when other authorities are trusted.
    pub(super) authorities: watch::Receiver<Authorities>,
    pub(super) verifier: Verifier,
    pub(super) registry: RegistryView,
    pub(super) recent: Recent,
    pub(super) fetches: Fetches<C>,
    pub(super) report: Report,
    pub(super) queue: Arc<Mutex<Queue<Job>>>,
    pub(super) arrived: Arc<Notify>,
    pub(super) checked: mpsc::Sender<Checked>,
    pub(super) clock: Clock,
    pub(super) counters: Arc<Counters>,
}

impl<C: Carrier> Task<C> {
    /// Runs until the driver ends.
    pub(super) async fn run(mut self) {
        loop {
            // The sender lives as long as the driver, so an error means that this task ends soon.
            if self.authorities.has_changed().unwrap_or(false) {
                self.drop_untrusted().await;
            }
            let next = self.queue.lock().pop();
            if let Some(job) = next {
                self.work_on(job).await;
                continue;
            }
            let waited_for = self.fetches.is_waited_for();
            tokio::select! {
                // A permit that was given since the look at the queue is kept, so none is missed.
                () = self.arrived.notified() => {}
                Ok(()) = self.authorities.changed() => self.authorities.mark_changed(),
                fetched = self.fetches.next() => self.fetched(fetched).await,
                () = tokio::time::sleep(LOOKED_AT_EVERY), if waited_for => self.resume_ready(),
            }
        }
    }

    /// Other authorities are trusted now. Certificates of others do not count any more.
    async fn drop_untrusted(&mut self) {
        let authorities = self.authorities.borrow_and_update().clone();
        self.verifier.trust(authorities.clone());
        let known = self.verifier.certificates().clone();
        for fingerprint in known.fingerprints() {
            let certificate = known.get(&fingerprint);
            if certificate.is_some_and(|certificate| authorities.certificate(certificate.der()).is_err()) {
                known.remove(&fingerprint);
            }
            // Each takes as long as a signature.
            tokio::task::yield_now().await;
        }
        // What was verified a short time ago may have been signed with one of them.
        self.recent = Recent::default();
    }

    /// Verifies some items of a message. When all are verified, passes it to the driver.
    async fn work_on(&mut self, mut job: Job) {
        if let Some(certificate) = &job.unchecked.certificate {
            self.learn(certificate);
        }
        for _ in 0..SIGNATURES_IN_A_TURN {
            match job.go_on(|item| self.look_at(item)) {
                Ok(true) => {
                    self.pay(&job);
                    // Other tasks of this thread, such as the driver, wait for one signature at
                    // most.
                    tokio::task::yield_now().await;
                }
                Ok(false) => return self.looked_at_all(job).await,
                Err(refusal) => return self.refuse(job, &refusal).await,
            }
        }
        let peer = job.peer().clone();
        self.queue.lock().resume(peer, job);
    }

    /// Verifies one item. Returns what became of it, and whether that cost a signature.
    fn look_at(&mut self, item: &dyn Attested) -> (Result<Looked, Refusal>, bool) {
        // First: it may have been verified before the revocation.
        if self.verifier.is_revoked(item) {
            return (Ok(Looked::LeftOut), false);
        }
        if is_known(&self.registry, item) || self.recent.contains(item) {
            return (Ok(Looked::Proved), false);
        }
        // A member that has a connection to this one has shown its certificate there.
        if self.verifier.certificates().get(&item.proof().certificate).is_none()
            && let Some(certificate) = self.fetches.carrier().certificate_of(item.signer())
        {
            self.learn(&certificate);
        }
        match verify_item(&self.verifier, item) {
            Ok(()) => {
                count(&self.counters.signatures);
                self.recent.insert(item);
                (Ok(Looked::Proved), true)
            }
            Err(Refusal::NoCertificate { certificate, .. }) => (Ok(Looked::Without(certificate)), false),
            Err(refusal) if refusal.is_innocent() => (Ok(Looked::LeftOut), false),
            Err(refusal) => (Err(refusal), true),
        }
    }

    /// All items of a message were looked at. Those without a certificate wait for it.
    async fn looked_at_all(&mut self, mut job: Job) {
        let now = self.clock.now();
        if job.missing().is_empty() || !self.fetches.may_wait(now, &job) {
            return self.finish(job).await;
        }
        match job.split() {
            Some(rest) => {
                self.fetches.wait(now, rest);
                self.pass_on(job).await;
            }
            None => self.fetches.wait(now, job),
        }
    }

    /// Ends a message. What could not be verified is left out of it.
    async fn finish(&mut self, job: Job) {
        let left_out = self.pass_on(job).await;
        for _ in 0..left_out {
            count(&self.counters.unverifiable);
        }
    }

    /// Passes the verified part of a message to the driver. Returns the number of items that are
    /// not in it.
    async fn pass_on(&mut self, job: Job) -> usize {
        self.end(&job);
        let (then, from, message, left_out) = job.finish();
        self.pass(Checked::Proved(then.input(from, message))).await;
        left_out
    }

    async fn refuse(&mut self, job: Job, refusal: &Refusal) {
        self.pay(&job);
        self.end(&job);
        count(&self.counters.forged);
        self.report.refused(self.clock.now(), job.peer(), refusal);
        let (peer, then) = (job.peer().clone(), job.unchecked.then);
        self.pass(Checked::Forged(peer, then)).await;
    }

    /// Passes the end of a message to the driver.
    async fn pass(&self, checked: Checked) {
        // Fails only when the driver has ended. Then this task ends, too.
        let _ = self.checked.send(checked).await;
    }

    /// Adds a certificate to the known ones.
    fn learn(&self, certificate: &Arc<Certificate>) {
        if self.verifier.certificates().insert(Arc::clone(certificate), &self.registry) {
            self.fetches.carrier().renewed(certificate);
        }
    }

    fn end(&self, job: &Job) {
        self.queue.lock().ended(job.peer(), job.unchecked.bytes);
    }

    fn pay(&self, job: &Job) {
        self.queue.lock().pay(self.clock.now(), job.peer());
    }

    /// Takes in the certificates of an answer.
    async fn fetched(&mut self, fetched: Fetched) {
        let mut wanted = fetched.asked();
        let mut is_valid = true;
        for der in fetched.answer.iter().flatten() {
            self.queue.lock().pay(self.clock.now(), &fetched.peer);
            match self.authorities.borrow().certificate(der) {
                Ok(certificate) if wanted.remove(&certificate.fingerprint()) => {
                    count(&self.counters.certificates_fetched);
                    self.learn(&Arc::new(certificate));
                }
                // Not a certificate of this cluster, or not one that was asked for.
                Ok(_) | Err(_) => is_valid = false,
            }
            tokio::task::yield_now().await;
        }
        // An answer has as many as fit, so some progress is enough.
        let helped = is_valid && wanted.len() < fetched.asked().len();
        self.fetches.ended(self.clock.now(), &fetched, helped);
        self.resume_ready();
    }

    /// Goes on with the messages whose certificates have arrived, or that have waited long enough.
    fn resume_ready(&mut self) {
        let certificates = self.verifier.certificates().clone();
        let has = |fingerprint: &_| certificates.get(fingerprint).is_some();
        for mut job in self.fetches.ready(self.clock.now(), has) {
            job.restart();
            let peer = job.peer().clone();
            self.queue.lock().resume(peer, job);
        }
    }
}
