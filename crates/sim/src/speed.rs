//! The speed of the simulator on one core, and its memory.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use kinfolk_sim::{Fault, NodeIndex, Scenario, Step, World};
use kinfolk_swim::SwimConfig;

/// The measurement starts after this time, because new members first probe each other more often.
const SETTLE: Duration = Duration::from_secs(10);

/// The simulation to measure.
pub(crate) struct Plan {
    /// The number of nodes. They know each other from the start.
    pub nodes: usize,
    /// The virtual time, in seconds.
    pub seconds: u64,
    /// The configuration of all members.
    pub config: SwimConfig,
    /// Whether members also watch each other with phi accrual.
    pub phi: bool,
    /// Whether a node crashes after half of the time.
    pub crash: bool,
}

/// The result of the measurement.
pub(crate) struct Speed {
    nodes: usize,
    virtual_time: Duration,
    formed_in: Duration,
    took: Duration,
    messages: u64,
    memory_max: Option<u64>,
}

/// Runs the simulation on this thread, in a light world.
///
/// # Errors
/// When the system's report of the memory has an unexpected form.
pub(crate) fn measure(plan: &Plan) -> Result<Speed> {
    let mut scenario = Scenario::bare(plan.nodes, plan.config.clone());
    scenario.phi = plan.phi;
    if plan.crash {
        let crash = Step::Fault(Fault::Crash(NodeIndex(0)));
        scenario.script.at(SETTLE + Duration::from_secs(plan.seconds) / 2, crash);
    }
    let virtual_time = Duration::from_secs(plan.seconds);
    let begun = Instant::now();
    let mut world = World::light_preformed(&scenario, 1);
    let settled = kinfolk_core::Instant::ORIGIN + SETTLE;
    world.run_until(settled);
    // Messages of the settling time do not count.
    let before = world.traffic_of_all();
    let formed = Instant::now();
    world.run_until(settled + virtual_time);
    Ok(Speed {
        nodes: plan.nodes,
        virtual_time,
        formed_in: formed - begun,
        took: formed.elapsed(),
        messages: (world.traffic_of_all() - before).messages_sent,
        memory_max: memory_max()?,
    })
}

/// The highest memory use of this process so far, in KiB; `None` where the system does not report
/// it.
fn memory_max() -> Result<Option<u64>> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(None) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.map(str::parse).transpose()?)
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (virtual_seconds, took) = (self.virtual_time.as_secs_f64(), self.took.as_secs_f64());
        let node_seconds = self.nodes as f64 * virtual_seconds;
        write!(
            f,
            "{} nodes, {virtual_seconds:.0} virtual seconds in {took:.2} s (formed, and settled for 10, in {:.2} s): {:.0} virtual seconds a \
             second on one core, {:.2} us and {:.2} messages a node and virtual second",
            self.nodes,
            self.formed_in.as_secs_f64(),
            virtual_seconds / took,
            took / node_seconds * 1e6,
            self.messages as f64 / node_seconds,
        )?;
        match self.memory_max {
            Some(kib) => write!(f, ", at most {:.0} MiB", kib as f64 / 1024.0),
            None => Ok(()),
        }
    }
}
