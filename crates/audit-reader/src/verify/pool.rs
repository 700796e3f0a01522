//! Segments checked by several threads: pieces of one segment side by side, and several segments.
//!
//! What must stay true here: what the checks tell is taken in the order of the trail, whichever is
//! faster. Memory does not grow with the number or the size of segments: whoever is ahead and has much
//! to say waits for its turn. What is found does not depend on how a trail is cut into pieces.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use audit_core::chain::FileDigest;
use audit_core::segment::SegmentName;
use audit_core::verify::Unended;

use super::chunk::{Chunk, ChunkReader, End};
use super::lane::Lane;
use super::segment::{Message, SegmentScan};
use crate::stored::StoredFile;
use crate::{Line, LineKind, ReadError, Source};

/// Messages of one segment that may wait to be taken.
const WAITING: usize = 8;
/// So many threads share a segment: reading and the digest, about a third of the work, cannot be
/// divided.
const SHARING: usize = 3;

pub(super) type Sent = Result<Message, ReadError>;

/// What the checks need to know.
pub(super) struct Job<'a> {
    pub(super) source: &'a Source,
    pub(super) segments: &'a [SegmentName],
    /// The one that may be growing, if it is among them.
    pub(super) open: Option<SegmentName>,
    pub(super) digested: &'a BTreeSet<SegmentName>,
    pub(super) watched: &'a BTreeSet<u64>,
    pub(super) stored: Option<&'a StoredFile>,
    pub(super) block: usize,
    /// The first segment, and where to begin in it.
    pub(super) from: Option<(SegmentName, u64)>,
}

impl Job<'_> {
    /// Checks all segments and hands on what is told of them, in order.
    pub(super) fn run(
        &self,
        jobs: usize,
        take: &mut dyn FnMut(SegmentName, Message),
    ) -> Result<(), ReadError> {
        if jobs < 2 {
            return self.one_by_one(take);
        }
        let lanes = jobs.div_ceil(SHARING).min(self.segments.len()).max(1);
        let (announce, announced) = sync_channel::<(SegmentName, Receiver<Sent>)>(lanes);
        let next = Mutex::new((self.segments.iter(), Some(announce)));
        let lanes: Vec<_> = (0..lanes).map(|_| Lane::default()).collect();
        std::thread::scope(|scope| {
            for number in 0..jobs {
                let (lane, next) = (&lanes[number % lanes.len()], &next);
                scope.spawn(move || self.work(lane, next));
            }
            let outcome =
                announced.iter().take(self.segments.len()).try_for_each(|(name, told)| {
                    told.iter().try_for_each(|told| told.map(|message| take(name, message)))
                });
            // After an error nobody listens, and the checks stop.
            drop(announced);
            outcome
        })
    }

    fn one_by_one(&self, take: &mut dyn FnMut(SegmentName, Message)) -> Result<(), ReadError> {
        let (mut buffer, mut stored) = (Vec::new(), self.stored.map(StoredFile::again));
        for &name in self.segments {
            let Some(mut reading) = self.begin(name)? else { continue };
            let mut ended = false;
            while !ended {
                let chunk = reading.next(&mut buffer)?;
                ended = matches!(chunk, Chunk::End(_));
                let tell = &mut |message| {
                    take(name, message);
                    true
                };
                let digest = reading.chunks.digest();
                if let Some(message) = self.check(chunk, &buffer, digest, &mut stored, tell) {
                    take(name, message);
                }
            }
        }
        Ok(())
    }

    /// What one thread does: reads the next piece of its lane's segment, checks it, hands it on.
    fn work(&self, lane: &Lane, next: &Mutex<Next<'_>>) {
        let (mut buffer, mut stored) = (Vec::new(), self.stored.map(StoredFile::again));
        let _end = EndOnPanic { lane, next };
        while let Some(piece) = self.next_piece(lane, next, &mut buffer) {
            let Piece { ticket, tell, chunk } = piece;
            let told = chunk.map(|chunk| {
                let full = &mut |message| lane.interject(ticket, &tell, message);
                self.check(chunk, &buffer, None, &mut stored, full)
            });
            let goes_on = match told {
                Ok(Some(message)) => lane.deliver(ticket, tell, Ok(message)),
                Ok(None) => false,
                Err(error) => lane.deliver(ticket, tell, Err(error)),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// The next piece of the lane; `None` when there is no more for it to do.
    fn next_piece(
        &self,
        lane: &Lane,
        next: &Mutex<Next<'_>>,
        buffer: &mut Vec<u8>,
    ) -> Option<Piece> {
        let mut at = lock(&lane.at);
        while at.reading.is_none() && !at.done {
            let (tell, told) = sync_channel(WAITING);
            // Announced under the lock: segments are listened to in their order.
            let name = {
                let mut next = lock(next);
                let (segments, announce) = &mut *next;
                announce.as_ref().and_then(|announce| {
                    segments.next().copied().filter(|name| announce.send((*name, told)).is_ok())
                })
            };
            let Some(name) = name else {
                at.done = true;
                break;
            };
            match self.begin(name) {
                Ok(reading) => at.reading = reading.map(|reading| (reading, tell)),
                Err(error) => {
                    at.done = true;
                    // If nobody listens, another error came first.
                    drop(tell.send(Err(error)));
                }
            }
        }
        let (reading, tell) = at.reading.as_mut()?;
        let (chunk, tell) = (reading.next(buffer), tell.clone());
        if let (Ok(Chunk::Lines { .. }), Some(digest)) = (&chunk, reading.chunks.digest()) {
            digest.update(buffer);
        }
        at.done |= chunk.is_err();
        if matches!(chunk, Ok(Chunk::End(_)) | Err(_)) {
            at.reading = None;
        }
        let ticket = at.ticket;
        at.ticket += 1;
        Some(Piece { ticket, tell, chunk })
    }

    fn begin(&self, name: SegmentName) -> Result<Option<Reading>, ReadError> {
        let Some(segment) = self.source.open_segment(name)? else { return Ok(None) };
        let start = self.from.filter(|(from, _)| *from == name).map_or(0, |(_, at)| at);
        let digested = start == 0 && self.digested.contains(&name);
        // An archived one never grows.
        let open = self.open == Some(name) && !segment.archived;
        let (file_name, file) = (segment.file_name(), segment.file);
        let chunks = ChunkReader::new(file, start, digested, self.block);
        Ok(Some(Reading { place: self.source.place_of(&file_name), chunks, open }))
    }

    /// Checks a piece. `digest` takes its lines, if it has not before; `tell` takes what cannot wait.
    /// `None` if it wants no more.
    fn check(
        &self,
        chunk: Chunk,
        lines: &[u8],
        digest: Option<&mut FileDigest>,
        stored: &mut Option<StoredFile>,
        tell: &mut dyn FnMut(Message) -> bool,
    ) -> Option<Message> {
        let mut scan = SegmentScan::new(self.watched, stored);
        match chunk {
            Chunk::Lines { offset } => {
                scan.lines(offset, lines, digest, tell).then(|| scan.finish())
            }
            Chunk::Oversized { offset, len, head } => {
                scan.line(
                    &Line { kind: LineKind::Oversized, offset, len, bytes: &head },
                    Unended::Closed,
                );
                Some(scan.finish())
            }
            Chunk::End(mut end) => {
                if let (Some(torn), None) = (end.torn.take(), &end.damage) {
                    let (kind, offset) = (LineKind::Partial, end.whole);
                    let len = torn.len() as u64;
                    scan.line(&Line { kind, offset, len, bytes: &torn }, Unended::Closed);
                }
                let mut message = scan.finish();
                message.end = Some(end);
                Some(message)
            }
        }
    }
}

/// A segment that is being read.
pub(super) struct Reading {
    place: PathBuf,
    chunks: ChunkReader,
    /// It may be growing: it ends, for now, where its whole lines end.
    open: bool,
}

impl Reading {
    fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Chunk, ReadError> {
        let chunk = self.chunks.next(buffer).map_err(ReadError::io(&self.place))?;
        let ends_at = match &chunk {
            Chunk::Oversized { offset, .. } => *offset,
            Chunk::End(end) => end.whole,
            Chunk::Lines { .. } => return Ok(chunk),
        };
        Ok(if self.open { Chunk::End(End::unfinished(ends_at)) } else { chunk })
    }
}

/// One piece, and where what is found in it goes.
struct Piece {
    /// Its number in its lane.
    ticket: u64,
    tell: SyncSender<Sent>,
    chunk: Result<Chunk, ReadError>,
}

/// The segments that nobody reads yet, and whom they are announced to until somebody panics.
type Next<'a> =
    (std::slice::Iter<'a, SegmentName>, Option<SyncSender<(SegmentName, Receiver<Sent>)>>);

/// A thread that panics takes the others with it, or they and whoever listens would wait for ever for what it
/// had to say. The panic itself goes on in the thread that verifies.
struct EndOnPanic<'a, 'n> {
    lane: &'a Lane,
    next: &'a Mutex<Next<'n>>,
}

impl Drop for EndOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lane.stop();
            lock(self.next).1 = None;
        }
    }
}

/// A thread that panicked left nothing half done that matters: its panic ends the verification.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
