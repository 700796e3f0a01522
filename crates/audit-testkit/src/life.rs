//! The child: opens the trail, emits from several threads, and dies when it is told to.
//!
//! What must stay true here: event `n` of a thread is emitted again until it is accepted, so a
//! refused event that is recorded all the same shows as a repetition; a promise is told only after
//! it was given.

use std::io::Write;
use std::path::PathBuf;

use audit_logging::{AuditLogger, EmitError, Receipt};
use rustix::process::{Signal, getpid, kill_process};

use crate::Rng;
use crate::acks::{Acks, Phase, Promised};
use crate::plan::{Plan, derive};

/// What the child is told: five arguments.
#[derive(Debug)]
pub struct Life {
    /// The trail's directory.
    pub trail: PathBuf,
    /// Where promises are told.
    pub acks: PathBuf,
    /// Number of this life, stands in each label.
    pub number: u64,
    /// Of its plan.
    pub seed: u64,
    /// See [`Plan::new`].
    pub gentle: bool,
}

impl Life {
    /// As arguments for the child.
    #[must_use]
    pub fn to_args(&self) -> [std::ffi::OsString; 5] {
        [
            self.trail.clone().into(),
            self.acks.clone().into(),
            self.number.to_string().into(),
            self.seed.to_string().into(),
            self.gentle.to_string().into(),
        ]
    }

    /// Back from arguments.
    ///
    /// # Errors
    /// What is missing.
    pub fn from_args(args: &[String]) -> Result<Life, String> {
        let [trail, acks, number, seed, gentle] = args else {
            return Err("life: TRAIL ACKS NUMBER SEED GENTLE".to_owned());
        };
        Ok(Life {
            trail: trail.into(),
            acks: acks.into(),
            number: number.parse().map_err(|_| "NUMBER")?,
            seed: seed.parse().map_err(|_| "SEED")?,
            gentle: gentle.parse().map_err(|_| "GENTLE")?,
        })
    }

    /// Lives it. Prints `open` when the trail is open.
    ///
    /// # Errors
    /// What should not have happened to a process that nobody hinders.
    pub fn live(&self) -> Result<(), String> {
        let acks = Acks::open(&self.acks).map_err(|e| format!("acks: {e}"))?;
        let enter = |phase| acks.enter(phase).map_err(|e| format!("acks: {e}"));
        let plan = Plan::new(self.seed, self.gentle);
        enter(Phase::Opening)?;
        let logger =
            AuditLogger::new(plan.config(&self.trail)).map_err(|e| format!("open: {e}"))?;
        enter(Phase::Emitting)?;
        std::io::stdout().write_all(b"open\n").map_err(|e| format!("stdout: {e}"))?;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..plan.threads)
                .map(|thread| {
                    let (logger, acks, plan) = (&logger, &acks, &plan);
                    scope.spawn(move || self.emit(thread, logger, acks, plan))
                })
                .collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()))
            })
        })?;
        enter(Phase::Leaving)?;
        logger.shutdown_blocking().map_err(|e| format!("shutdown: {e}"))?;
        enter(Phase::Left)
    }

    fn emit(
        &self,
        thread: usize,
        logger: &AuditLogger,
        acks: &Acks,
        plan: &Plan,
    ) -> Result<(), String> {
        let mut rng = Rng::new(derive(self.seed, 1, thread as u64));
        let mut told = Promised::default();
        let mut watched: Option<(u64, Receipt)> = None;
        for n in 0..plan.events {
            if thread == 0 && n == plan.dies_at {
                kill_process(getpid(), Signal::KILL).map_err(|e| format!("kill: {e}"))?;
            }
            let mut now = told;
            let event = plan.event(&mut rng, format!("{}/{thread}/{n}", self.number));
            let receipt = loop {
                match logger.emit(event.clone()) {
                    Ok(receipt) => break receipt,
                    Err(EmitError::QueueFull | EmitError::DiskFull) => {
                        now.refused += 1;
                        std::thread::yield_now();
                    }
                    Err(error) => return Err(format!("emit: {error}")),
                }
            };
            now.emitted = n + 1;
            acks.say(thread, &told, &now).map_err(|e| format!("acks: {e}"))?;
            told = now;
            if plan.wait_every > 0 && n % plan.wait_every == 0 && plan.is_prompt() {
                receipt.wait_durable().map_err(|e| format!("wait: {e}"))?;
            }
            if plan.meddle_every > 0 && thread == 0 && n % plan.meddle_every == 7 {
                if rng.one_in(2) {
                    logger.flush_blocking().map_err(|e| format!("flush: {e}"))?;
                } else {
                    logger.seal_blocking().map_err(|e| format!("seal: {e}"))?;
                    now.sealed = n + 1;
                }
            }
            // What is durable, everything before it on this thread is, too.
            if receipt.is_durable() {
                now.durable = n + 1;
            } else if let Some((at, _)) = watched.take_if(|(_, receipt)| receipt.is_durable()) {
                now.durable = at + 1;
            }
            acks.say(thread, &told, &now).map_err(|e| format!("acks: {e}"))?;
            told = now;
            watched.get_or_insert((n, receipt));
        }
        Ok(())
    }
}
