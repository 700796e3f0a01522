//! The threads of an open trail, from their start to their end.
//!
//! What must stay true here: nothing that can fail comes after the sealer has begun, so that no thread
//! touches a trail whose lock is gone; the lock goes when all threads have ended, and before those
//! who wait for the end are told, so that they may open the trail again at once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SendError, sync_channel};
use std::thread::JoinHandle;

use crate::retention::Keeper;
use crate::seal::Sealer;
use crate::shared::Shared;
use crate::storage::TrailLock;
use crate::trail::RingFile;
use crate::writer::Writer;

/// What is let go of when the writer has ended, in this order.
pub(crate) struct Ending {
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) ring_file: RingFile,
    pub(crate) lock: Option<TrailLock>,
    pub(crate) shared: Arc<Shared>,
}

/// The threads that end after the writer's.
struct Followers {
    sealing: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

/// Starts writer, keeper and sealer. The writer's thread comes first and waits: one that cannot be had
/// is no reason to stop a sealer again.
pub(crate) fn start(writer: Writer, ending: Ending) -> io::Result<JoinHandle<()>> {
    let sealer = Arc::clone(&ending.sealer);
    let (hand, handed) = sync_channel::<(Writer, Ending, Followers)>(1);
    let thread = std::thread::Builder::new().name("audit-writer".to_owned()).spawn(move || {
        // Nothing comes when the sealer could not be started.
        if let Ok((writer, ending, followers)) = handed.recv() {
            let in_order = writer.run();
            ending.end(followers, in_order);
        }
    })?;
    // Of a trail in a directory: whoever else may write there may ask for something.
    let keeping = ending.keeper.start(ending.lock.is_some())?;
    let sealing = match sealer.start() {
        Ok(sealing) => sealing,
        Err(error) => {
            ending.end_keeper(keeping);
            return Err(error);
        }
    };
    match hand.send((writer, ending, Followers { sealing, keeping })) {
        Ok(()) => Ok(thread),
        Err(SendError((_, ending, followers))) => {
            ending.end(followers, false);
            Err(io::Error::other("the writer's thread ended before it began (a bug: report it)"))
        }
    }
}

impl Ending {
    fn end_keeper(&self, keeping: JoinHandle<()>) {
        self.keeper.stop();
        if keeping.join().is_err() {
            tracing::error!("the keeper panicked (a bug: report it)");
        }
    }

    fn end(self, followers: Followers, in_order: bool) {
        self.sealer.stop();
        // A panic of the sealer was told to those who wait when it happened.
        drop(followers.sealing.join());
        self.end_keeper(followers.keeping);
        let Ending { mut ring_file, lock, shared, .. } = self;
        if in_order {
            ring_file.closed();
        }
        drop(ring_file);
        drop(lock);
        shared.progress.finish();
    }
}
