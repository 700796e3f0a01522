//! Segments, several at a time.
//!
//! What must stay true here: what the scans tell is taken in the order of the segments, whichever
//! scan is faster. A scan that is ahead waits: memory does not grow with the number or the size of
//! segments.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};

use audit_core::segment::SegmentName;

use super::segment::{Message, Told, scan_segment};
use crate::stored::StoredFile;
use crate::{ReadError, Source};

/// Messages of one segment that may wait.
const WAITING: usize = 8;

type Sent<'a> = Result<Message<'a>, ReadError>;

/// What a scan needs to know.
pub(super) struct Job<'a> {
    pub(super) source: &'a Source,
    pub(super) segments: &'a [SegmentName],
    /// The one that may be growing, if it is among them.
    pub(super) open: Option<SegmentName>,
    pub(super) digested: &'a BTreeSet<SegmentName>,
    pub(super) watched: &'a BTreeSet<u64>,
    pub(super) stored: Option<&'a StoredFile>,
}

impl<'a> Job<'a> {
    /// Scans all segments and hands on what is told of them, in order.
    pub(super) fn run(
        &self,
        jobs: usize,
        take: &mut dyn FnMut(SegmentName, Message<'a>),
    ) -> Result<(), ReadError> {
        let jobs = jobs.min(self.segments.len());
        if jobs < 2 {
            for &name in self.segments {
                self.scan(name, &mut |message| {
                    take(name, message);
                    Told::Taken
                })?;
            }
            return Ok(());
        }
        let (announce, announced) = sync_channel::<(SegmentName, Receiver<Sent<'a>>)>(jobs);
        let next = Mutex::new((self.segments.iter(), announce));
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| while self.work(&next) {});
            }
            let outcome =
                announced.iter().take(self.segments.len()).try_for_each(|(name, told)| {
                    told.iter().try_for_each(|told| told.map(|message| take(name, message)))
                });
            // After an error nobody listens, and the scans stop.
            drop(announced);
            outcome
        })
    }

    /// Takes the next segment and scans it; gives whether there was one.
    fn work(&self, next: &Mutex<Next<'a>>) -> bool {
        let (tell, told) = sync_channel(WAITING);
        let name = {
            // Announced under the lock: segments are listened to in their order.
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(&name) = next.0.next() else { return false };
            if next.1.send((name, told)).is_err() {
                return false;
            }
            name
        };
        if let Err(error) = self.scan(name, &mut |message| send(&tell, message)) {
            // If nobody listens, another error came first.
            return tell.send(Err(error)).is_ok();
        }
        true
    }

    fn scan(
        &self,
        name: SegmentName,
        tell: &mut dyn FnMut(Message<'a>) -> Told<'a>,
    ) -> Result<(), ReadError> {
        let digested = self.digested.contains(&name);
        let stored = self.stored.map(StoredFile::again);
        let kind = (digested, self.open == Some(name));
        scan_segment(self.source, name, kind, self.watched, stored, tell)
    }
}

/// Hands a message on. Only one that is full, or the last, is worth waiting for: a scan that is ahead
/// of its turn by gigabytes of honest entries has next to nothing to say.
fn send<'a>(to: &SyncSender<Sent<'a>>, message: Message<'a>) -> Told<'a> {
    if message.is_full() || message.end.is_some() || message.open.is_some() {
        return if to.send(Ok(message)).is_ok() { Told::Taken } else { Told::Stop };
    }
    match to.try_send(Ok(message)) {
        Err(TrySendError::Full(Ok(message))) => Told::Later(Box::new(message)),
        Ok(()) | Err(TrySendError::Full(Err(_))) => Told::Taken,
        Err(TrySendError::Disconnected(_)) => Told::Stop,
    }
}

type Next<'a> = (std::slice::Iter<'a, SegmentName>, SyncSender<(SegmentName, Receiver<Sent<'a>>)>);
