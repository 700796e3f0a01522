//! The threads of an open trail, from their start to their end.
//!
//! What must stay true here: nothing that can fail comes after the sealer has begun, so that no thread
//! touches a trail whose lock is gone; the lock goes when both threads have ended, and before those
//! who wait for the end are told, so that they may open the trail again at once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SendError, sync_channel};
use std::thread::JoinHandle;

use crate::seal::Sealer;
use crate::shared::Shared;
use crate::storage::TrailLock;
use crate::trail::RingFile;
use crate::writer::Writer;

/// What is let go of when the writer has ended, in this order.
pub(crate) struct Ending {
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) ring_file: RingFile,
    pub(crate) lock: Option<TrailLock>,
    pub(crate) shared: Arc<Shared>,
}

/// Starts writer and sealer. The writer's thread comes first and waits: one that cannot be had is no
/// reason to stop a sealer again.
pub(crate) fn start(writer: Writer, ending: Ending) -> io::Result<JoinHandle<()>> {
    let sealer = Arc::clone(&ending.sealer);
    let (hand, handed) = sync_channel::<(Writer, Ending, JoinHandle<()>)>(1);
    let thread = std::thread::Builder::new().name("audit-writer".to_owned()).spawn(move || {
        // Nothing comes when the sealer could not be started.
        if let Ok((writer, ending, sealing)) = handed.recv() {
            let in_order = writer.run();
            ending.end(sealing, in_order);
        }
    })?;
    let sealing = sealer.start()?;
    match hand.send((writer, ending, sealing)) {
        Ok(()) => Ok(thread),
        Err(SendError((_, ending, sealing))) => {
            ending.end(sealing, false);
            Err(io::Error::other("the writer's thread ended before it began (a bug: report it)"))
        }
    }
}

impl Ending {
    fn end(self, sealing: JoinHandle<()>, in_order: bool) {
        let Ending { sealer, mut ring_file, lock, shared } = self;
        sealer.stop();
        // A panic of the sealer was told to those who wait when it happened.
        drop(sealing.join());
        if in_order {
            ring_file.closed();
        }
        drop(ring_file);
        drop(lock);
        shared.progress.finish();
    }
}
