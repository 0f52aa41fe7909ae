//! The attack of the case `liar`: a process with a certificate of the cluster that claims and
//! accuses all others failed, again and again. It speaks the real wire. The scenario starts it in a
//! namespace of its own, by a hidden command of this program.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use kinfolk::{NodeAddr, NodeId, NodeIdentity, NodeState, NodeStatus};
use kinfolk_core::signed::Charge;
use kinfolk_swim::{Message, Update, codec};
use kinfolk_transport::{Peer, Transport, TransportConfig};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::event_history::unix_ms;
use crate::liar::{Liar, Lies, Testimony};

/// How long it waits for the statements of all others.
const LEARNS_WITHIN: Duration = Duration::from_secs(30);
/// How many messages may be on their way. More would only wait in this process.
const PENDING_MAX: usize = 1_000;
/// The charges in turn. All of them are grave.
const CHARGES: [Charge; 3] = [Charge::PortClosed, Charge::Lossy, Charge::Silent { for_ms: 60_000 }];

/// The attack's files and addresses.
#[derive(Debug, Clone)]
pub struct AttackOptions {
    /// The certificate of the attacker.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The certificate of the CA.
    pub ca: PathBuf,
    /// The address on which it listens.
    pub listen: SocketAddr,
    /// The members that it attacks, each as `NAME=ADDRESS`.
    pub victims: Vec<String>,
}

/// A part of the attack. The attacker prints each name on a line of its own when the part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It lies each second for 15 s.
    EachSecond,
    /// It lies each 10 ms for 5 s.
    Flood,
    /// It has ended its attack, and leaves.
    Over,
}

impl Part {
    /// The line that the attacker prints.
    pub(super) fn line(self) -> &'static str {
        match self {
            Self::EachSecond => "each second",
            Self::Flood => "flood",
            Self::Over => "over",
        }
    }

    /// How long it takes, and how far apart the lies are.
    fn rhythm(self) -> (Duration, Duration) {
        match self {
            Self::EachSecond => (Duration::from_secs(15), Duration::from_secs(1)),
            Self::Flood => (Duration::from_secs(5), Duration::from_millis(10)),
            Self::Over => (Duration::ZERO, Duration::from_secs(1)),
        }
    }
}

/// Joins, attacks all victims, and leaves.
///
/// # Errors
/// A file cannot be read, the address is not free, or the attacker cannot join.
pub fn attack(options: &AttackOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let victims: Vec<Peer> = options.victims.iter().map(|text| peer(text)).collect::<Result<_>>()?;
        let attacker = Attacker { liar: start(options)?, victims };
        attacker.join().await?;
        for part in [Part::EachSecond, Part::Flood] {
            println!("{}", part.line());
            attacker.lie(part).await;
        }
        println!("{}", Part::Over.line());
        attacker.liar.leave(&attacker.victims).await;
        Ok(())
    })
}

fn peer(text: &str) -> Result<Peer> {
    let (name, addr) = text.split_once('=').context("a victim is given as NAME=ADDRESS")?;
    Ok(Peer::new(NodeId::new(name)?, NodeAddr::new(addr.parse()?)))
}

fn start(options: &AttackOptions) -> Result<Liar> {
    let read =
        |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let identity = NodeIdentity::from_pem(&read(&options.cert)?, &read(&options.key)?, &read(&options.ca)?)?;
    let bound = Transport::bind(TransportConfig::new(options.listen, identity.clone()))?;
    Ok(Liar::start(bound, identity, Duration::from_millis(unix_ms())))
}

struct Attacker {
    liar: Liar,
    victims: Vec<Peer>,
}

impl Attacker {
    /// Joins through all victims, and waits until it knows their statements.
    async fn join(&self) -> Result<()> {
        for victim in &self.victims {
            if !self.liar.join_through(victim).await {
                bail!("{victim} does not take the attacker in");
            }
        }
        let begun = Instant::now();
        while self.statements().len() < self.victims.len() {
            if begun.elapsed() > LEARNS_WITHIN {
                bail!("the attacker does not learn the statements of all");
            }
            self.liar.learn(&self.victims[0]).await;
            sleep(Duration::from_millis(200)).await;
        }
        // The last lie: it answers each request to probe a member with an accusation.
        self.liar.set_lies(Lies { testimony: Testimony::Accuse, ..Lies::default() });
        Ok(())
    }

    /// The latest known statement of each victim.
    fn statements(&self) -> Vec<NodeStatus> {
        self.victims.iter().filter_map(|victim| self.liar.heard_of(&victim.id)).collect()
    }

    async fn lie(&self, part: Part) {
        let (lasts, every) = part.rhythm();
        let begun = Instant::now();
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut sending, mut time) = (JoinSet::new(), 0);
        ticks.tick().await;
        while begun.elapsed() < lasts {
            if part == Part::EachSecond {
                // In the flood the victims' refutations arrive by themselves.
                let victim = self.victims[time % self.victims.len()].clone();
                let liar = self.liar.clone();
                sending.spawn(async move { liar.learn(&victim).await });
            }
            for body in self.lies(time) {
                for victim in &self.victims {
                    let (liar, victim, body) = (self.liar.clone(), victim.clone(), body.clone());
                    if sending.len() < PENDING_MAX {
                        sending.spawn(async move { liar.send_bytes(&victim, body).await });
                    }
                }
            }
            while sending.try_join_next().is_some() {}
            time += 1;
            ticks.tick().await;
        }
        sending.join_all().await;
    }

    /// The messages of one time: that all are failed, that all are suspect, and accusations of all.
    fn lies(&self, time: usize) -> Vec<Bytes> {
        let statements = self.statements();
        let accusers: Vec<NodeId> = self.victims.iter().map(|victim| victim.id.clone()).collect();
        let claims = [NodeState::Failed, NodeState::Suspect].map(|state| -> Vec<Update> {
            let claim = |statement: &NodeStatus| Update::Node {
                status: Arc::new(statement.with_state(state)),
                accusers: accusers.clone(),
            };
            statements.iter().map(claim).collect()
        });
        let charge = CHARGES[time % CHARGES.len()];
        let accuse = |statement: &NodeStatus| {
            Update::Accusation(self.liar.accuse(&statement.id, statement.incarnation, charge))
        };
        let accusations = statements.iter().map(accuse).collect();
        let messages = claims.into_iter().chain([accusations]);
        // With a few victims all fit into one message.
        messages.filter_map(|gossip| codec::encode(&Message::Gossip { gossip }).ok()).collect()
    }
}
