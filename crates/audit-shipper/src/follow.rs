//! Witnessing as a follower: a thread that looks for new checkpoints.
//!
//! What must stay true here: it shares nothing with the writer but files it reads; it stops when
//! told, without waiting for its interval; what goes wrong is told and tried again.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sync::{SyncError, SyncReport, WitnessSync};

/// A thread that gets every new checkpoint of a trail cosigned. Stops when dropped.
#[derive(Debug)]
pub struct Follower {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts it. It looks every `interval`; `each` is told of every round. A round whose policy
    /// is not satisfied is made again, also if the checkpoint stays the same.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        sync: WitnessSync,
        interval: Duration,
        each: impl FnMut(&Result<SyncReport, SyncError>) + Send + 'static,
    ) -> io::Result<Follower> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("audit-witness".to_owned())
            .spawn(move || run(sync, interval, &stopped, each))?;
        Ok(Follower { stop: Some(stop), thread: Some(thread) })
    }

    /// Stops it after the round that is running, if any, and waits for that.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of `each` is the caller's, and was reported by the thread.
            drop(thread.join());
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(
    mut sync: WitnessSync,
    interval: Duration,
    stopped: &Receiver<()>,
    mut each: impl FnMut(&Result<SyncReport, SyncError>),
) {
    let mut done = None;
    loop {
        let now = sync.checkpoint_bytes();
        if now != done || now.is_none() {
            let report = sync.sync();
            each(&report);
            // The checkpoint may have moved on since it was looked at: then it is looked at again.
            done = if matches!(&report, Ok(report) if report.satisfied) { now } else { None };
        }
        match stopped.recv_timeout(interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
