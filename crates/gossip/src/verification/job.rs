//! One message on its way through the verification.

use std::collections::HashSet;

use kinfolk_core::signed::{Attested, Claims as _, ContentHash, Fingerprint, Refusal, Unverified, Verified};
use kinfolk_core::{Instant, NodeId};
use kinfolk_swim::{Message, Update};

use super::recent::hash;
use super::{Then, Unchecked};

/// A message, and how far its verification is.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) unchecked: Unchecked,
    /// The number of items that were looked at.
    looked_at: usize,
    /// The hashes of the verified items.
    proved: HashSet<ContentHash>,
    /// The certificates that were missing.
    missing: HashSet<Fingerprint>,
    /// When it waits no longer for certificates. `None` until it begins to wait.
    pub(super) waits_until: Option<Instant>,
}

/// What became of one item.
pub(super) enum Looked {
    /// It is verified.
    Proved,
    /// Its certificate is missing.
    Without(Fingerprint),
    /// It cannot be verified now, and its sender is not to blame: it is left out.
    LeftOut,
}

impl Job {
    pub(super) fn new(unchecked: Unchecked) -> Self {
        Self { unchecked, looked_at: 0, proved: HashSet::new(), missing: HashSet::new(), waits_until: None }
    }

    pub(super) fn peer(&self) -> &NodeId {
        &self.unchecked.from
    }

    pub(super) fn missing(&self) -> &HashSet<Fingerprint> {
        &self.missing
    }

    /// Looks at the next items with `look`, until one costs a signature. `look` says what became of
    /// an item, and whether it cost one. Returns false when all items were looked at.
    ///
    /// # Errors
    /// The refusal of a forged item.
    pub(super) fn go_on(
        &mut self,
        mut look: impl FnMut(&dyn Attested) -> (Result<Looked, Refusal>, bool),
    ) -> Result<bool, Refusal> {
        let items = self.unchecked.message.peek().items();
        for item in items.into_iter().skip(self.looked_at) {
            self.looked_at += 1;
            let (looked, cost) = look(item);
            match looked? {
                Looked::Proved => drop(self.proved.insert(hash(item))),
                Looked::Without(certificate) => drop(self.missing.insert(certificate)),
                Looked::LeftOut => {}
            }
            if cost {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks at all items again: certificates have arrived meanwhile.
    pub(super) fn restart(&mut self) {
        self.looked_at = 0;
        self.missing.clear();
    }

    /// These certificates are known now.
    pub(super) fn forget_missing(&mut self, is_known: impl Fn(&Fingerprint) -> bool) {
        self.missing.retain(|fingerprint| !is_known(fingerprint));
    }

    /// Takes out the updates whose certificates are missing, as a message of their own. So a probe
    /// or other updates do not wait for them. `None` if the message must wait as a whole: a page is
    /// of use only with its nodes, and gossip without a verified update has nothing else.
    pub(super) fn split(&mut self) -> Option<Self> {
        let gossip = self.unchecked.message.peek().gossip()?;
        if self.proved.is_empty() && matches!(self.unchecked.message.peek(), Message::Gossip { .. }) {
            return None;
        }
        let waits = |update: &&Update| self.missing.contains(&update.item().proof().certificate);
        let gossip: Vec<Update> = gossip.iter().filter(waits).cloned().collect();
        let unchecked = Unchecked {
            from: self.unchecked.from.clone(),
            message: Unverified::new(Message::Gossip { gossip }),
            // The other message ends now.
            bytes: std::mem::take(&mut self.unchecked.bytes),
            then: Then::Message(None),
            certificate: self.unchecked.certificate.clone(),
        };
        let mut rest = Self::new(unchecked);
        rest.missing.clone_from(&self.missing);
        Some(rest)
    }

    /// The message with its verified items alone, and the number of items that were left out.
    ///
    /// # Panics
    /// Never: only verified items are left in the message.
    pub(super) fn finish(self) -> (Then, NodeId, Verified<Message>, usize) {
        let Self { unchecked: Unchecked { from, message, then, .. }, proved, .. } = self;
        let is_proved = |item: &dyn Attested| proved.contains(&hash(item));
        let before = message.peek().items().len();
        let message = message.map(|message| message.retain(is_proved));
        let left_out = before - message.peek().items().len();
        let verified = message.verified_before(is_proved).expect("only verified items are left");
        (then, from, verified, left_out)
    }
}
