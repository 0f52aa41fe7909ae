//! What the application wants: join, leave, other tags, a broadcast. Each ends in one [`Output::Done`].

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Cause, Instant, NodeState, Reason, Tags};

use crate::codec::USER_PAYLOAD_MAX;
use crate::error::CommandError;
use crate::input::{Command, CommandId};
use crate::machine::{Leave, Machine};
use crate::message::{Message, Update, UserMessage};
use crate::on_change::Spread;
use crate::output::{Outcome, Output};
use crate::queue::Priority;
use crate::requests::{LEAVE_TOLD_MAX, Purpose};

/// How long a leaving member waits for those whom it told.
const LEAVE_TOLD_WITHIN: Duration = Duration::from_secs(2);

impl Machine {
    pub(crate) fn on_command(&mut self, now: Instant, id: CommandId, command: Command) {
        match command {
            Command::Join { id: peer, addr } => self.join(now, id, peer, addr),
            Command::Leave => self.leave(now, id),
            Command::SetTags(tags) => {
                let outcome = self.set_tags(now, tags);
                self.done(id, Outcome::TagsSet(outcome));
            }
            Command::Broadcast(payload) => {
                let outcome = self.broadcast(payload);
                self.done(id, Outcome::Broadcast(outcome));
            }
            Command::Forget { id: member, remembered } => {
                let outcome = self.forget(now, &member, remembered);
                self.done(id, Outcome::Forgotten(outcome));
            }
        }
    }

    fn set_tags(&mut self, now: Instant, tags: Tags) -> Result<(), CommandError> {
        let mine = self.registry.get(&self.me.id).filter(|_| !self.has_left()).ok_or(CommandError::Left)?;
        if let Some(tags) = self.keep_tags(tags) {
            self.state_anew(now, mine.incarnation.next(), Some(tags), Priority::High);
        }
        Ok(())
    }

    fn broadcast(&mut self, payload: Bytes) -> Result<(), CommandError> {
        if self.has_left() {
            return Err(CommandError::Left);
        }
        if payload.len() > USER_PAYLOAD_MAX {
            return Err(CommandError::TooLarge { len: payload.len(), max: USER_PAYLOAD_MAX });
        }
        let (origin, life, number) = (self.me.id.clone(), self.me.life, self.me.broadcasts);
        self.me.broadcasts += 1;
        self.queue.push(Update::User(UserMessage { origin, life, number, payload }), Priority::Low);
        Ok(())
    }

    /// Says that we leave, to up to [`LEAVE_TOLD_MAX`] members directly and to all by gossip. A second leave is told
    /// how far the first has got.
    fn leave(&mut self, now: Instant, command: CommandId) {
        if let Some(Leave { told, confirmed, .. }) = self.me.leave {
            return self.done(command, Outcome::Left { confirmed, told });
        }
        let Some(mine) = self.registry.get(&self.me.id) else { return };
        self.me.leave = Some(Leave { command, told: 0, confirmed: 0, waiting: 0 });
        let change = self.registry.apply(mine.with_state(NodeState::Left));
        self.on_change(now, &change, &Cause::by(self.me.id.clone(), Reason::Reported), Spread::All);
        // What still waits goes along: nobody will pass it on for us later.
        let members = self.random_members(LEAVE_TOLD_MAX, None);
        for member in &members {
            let gossip = self.gossip_beginning_with(self.gossip_about(&self.me.id));
            self.request(member, Message::Ping { digest: 0, gossip }, Purpose::Leave, LEAVE_TOLD_WITHIN);
        }
        if let Some(leave) = &mut self.me.leave {
            (leave.told, leave.waiting) = (members.len(), members.len());
        }
        self.conclude_leave();
    }

    /// One of those whom we told that we leave has confirmed it, or will not.
    pub(crate) fn on_leave_told(&mut self, confirmed: bool) {
        if let Some(leave) = &mut self.me.leave {
            leave.waiting -= 1;
            leave.confirmed += usize::from(confirmed);
        }
        self.conclude_leave();
    }

    fn conclude_leave(&mut self) {
        if let Some(Leave { command, told, confirmed, waiting: 0 }) = self.me.leave {
            self.output(Output::Done { id: command, outcome: Outcome::Left { confirmed, told } });
        }
    }
}
