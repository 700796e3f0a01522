//! Holds a trail against what its writers were promised, a piece at a time.
//!
//! What must stay true here: every entry is looked at once, as it stands on disk, with grammar, hash
//! and chain; a complete line that was seen after a death stays for ever. Each thread of each life
//! has its events `0..n` in the trail, in order, each once, with `n` no less than promised and at
//! most one more than told; lives follow each other; every opening after a death says so.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use audit_core::chain::Head;
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::entry::Entry;
use audit_core::segment::SegmentName;
use audit_logging::AuditLogger;
use audit_reader::{Verdict, VerifyOptions, verify_dir};
use uuid::Uuid;

use crate::acks::Promised;
use crate::options::Promise;
use crate::plan::base_config;

/// What one reading found at the end of the trail.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Bytes after the last whole line.
    pub torn: u64,
    /// The newest segment holds nothing, or the one before has no checksum.
    pub rotating: bool,
    /// A key is named that is not in force yet.
    pub rekeying: bool,
    /// Files of an interrupted replacement are there.
    pub replacing: bool,
}

/// How a process before left the trail, as its own entries say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    New,
    Open,
    Closed,
    Recovered,
}

/// One trail's oracle.
#[derive(Debug)]
pub struct Oracle {
    dir: PathBuf,
    promise: Promise,
    /// Storage failed, and the trail says so.
    failed: bool,
    segment: Option<SegmentName>,
    offset: u64,
    head: Head,
    /// By life and thread: the number of the event that comes next, and where each stands.
    streams: BTreeMap<(u64, usize), Vec<u64>>,
    owed: Vec<(u64, Vec<Promised>)>,
    ids: HashSet<Uuid>,
    newest_life: u64,
    left: Left,
    /// An opening after a death that has not been told yet: the newest life at that time.
    untold: Option<u64>,
    last_type: String,
    buffer: Vec<u8>,
    /// Events seen.
    pub events: u64,
}

impl Oracle {
    /// For a trail that is not there yet.
    #[must_use]
    pub fn new(dir: &Path, promise: Promise) -> Oracle {
        Oracle {
            dir: dir.to_owned(),
            promise,
            failed: false,
            segment: None,
            offset: 0,
            head: Head::EMPTY,
            streams: BTreeMap::new(),
            owed: Vec::new(),
            ids: HashSet::new(),
            newest_life: 0,
            left: Left::New,
            untold: None,
            last_type: String::new(),
            buffer: Vec::new(),
            events: 0,
        }
    }

    /// For a trail whose storage failed: it may say so.
    #[must_use]
    pub fn after_failures(self) -> Oracle {
        Oracle { failed: true, ..self }
    }

    /// Life `number` was promised this; nothing is looked at yet.
    pub fn owe(&mut self, number: u64, promised: Vec<Promised>) {
        self.owed.push((number, promised));
    }

    /// After the death of life `number`: reads what is new, and checks what can be known now. What
    /// only the next opening brings back is owed until [`Oracle::after_opening`].
    ///
    /// # Errors
    /// What is wrong.
    pub fn after_death(&mut self, number: u64, promised: Vec<Promised>) -> Result<Tail, String> {
        let tail = self.read_new()?;
        let sealed = self.sealed_size()?;
        for (thread, now) in promised.iter().enumerate() {
            let found = self.found(number, thread);
            if found < now.durable {
                return Err(lost(number, thread, found, now.durable, "durable"));
            }
            if found > now.emitted + 1 {
                let told = now.emitted;
                return Err(format!(
                    "{number}/{thread}: {found} events, emit returned {told} times"
                ));
            }
            if let Some(last) = now.sealed.checked_sub(1) {
                let seq = self.seq_of(number, thread, last);
                if seq.is_none_or(|seq| seq >= sealed) {
                    return Err(format!(
                        "{number}/{thread}/{last} was sealed, stands at {seq:?}, and the checkpoint covers {sealed}"
                    ));
                }
            }
        }
        if self.promise == Promise::Emitted {
            self.owed.push((number, promised));
        }
        Ok(tail)
    }

    /// Life `number` opened the trail: what the ones before it were promised is there.
    ///
    /// # Errors
    /// What is missing.
    pub fn after_opening(&mut self, number: u64) -> Result<(), String> {
        for (life, promised) in std::mem::take(&mut self.owed) {
            if life >= number {
                self.owed.push((life, promised));
                continue;
            }
            for (thread, told) in promised.iter().enumerate() {
                let found = self.found(life, thread);
                if found < told.emitted {
                    return Err(lost(life, thread, found, told.emitted, "emitted"));
                }
            }
        }
        Ok(())
    }

    /// Opens the trail a last time, adds to it, closes it, and verifies all of it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn finish(&mut self, number: u64) -> Result<(), String> {
        let logger = AuditLogger::new(base_config(&self.dir)).map_err(|e| format!("open: {e}"))?;
        let event = crate::TestEvent::routine(format!("{number}/0/0"));
        let receipt = logger.emit(event).map_err(|e| format!("accepts no more: {e}"))?;
        receipt.wait_durable().map_err(|e| format!("accepts no more: {e}"))?;
        logger.shutdown_blocking().map_err(|e| format!("does not close: {e}"))?;
        let told = Promised { emitted: 1, durable: 1, sealed: 1, refused: 0 };
        let tail = self.after_death(number, vec![told])?;
        if tail != Tail::default() {
            return Err(format!("closed, and its end is {tail:?}"));
        }
        self.after_opening(number + 1)?;
        let options = VerifyOptions::default().with_jobs(1);
        let report = verify_dir(&self.dir, options).map_err(|e| format!("verify: {e}"))?;
        let (entries, sealed) = (self.head.next_seq, report.sealed_size);
        if report.verdict != Verdict::Proven || report.entries != entries || sealed != Some(entries)
        {
            return Err(format!("verified: {report:?}; {entries} entries were seen"));
        }
        Ok(())
    }

    fn found(&self, life: u64, thread: usize) -> u64 {
        self.streams.get(&(life, thread)).map_or(0, |events| events.len() as u64)
    }

    /// Where an event of a thread of a life stands.
    #[must_use]
    pub fn seq_of(&self, life: u64, thread: usize, n: u64) -> Option<u64> {
        self.streams.get(&(life, thread))?.get(usize::try_from(n).ok()?).copied()
    }

    /// How many entries the checkpoint on disk covers.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn sealed_size(&self) -> Result<u64, String> {
        let bytes = match std::fs::read(self.dir.join("checkpoint")) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            result => result.map_err(|e| format!("checkpoint: {e}"))?,
        };
        let checkpoint = SignedCheckpoint::parse(&bytes).map_err(|e| format!("checkpoint: {e}"))?;
        Ok(checkpoint.unverified().size)
    }

    fn read_new(&mut self) -> Result<Tail, String> {
        let mut tail = Tail::default();
        let names = match std::fs::read_dir(&self.dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(tail),
            result => result.map_err(|e| format!("list: {e}"))?,
        };
        let names: Vec<String> =
            names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        tail.replacing = names.iter().any(|name| name.ends_with(".tmp"));
        let mut segments: Vec<_> = names.iter().filter_map(|n| SegmentName::parse(n)).collect();
        segments.sort_unstable();
        let from = self.segment;
        let news = segments.iter().copied().filter(|name| from.is_none_or(|from| *name >= from));
        for name in news.collect::<Vec<_>>() {
            if tail.torn > 0 {
                return Err(format!("{name} follows a segment whose end is torn"));
            }
            if self.segment != Some(name) {
                (self.segment, self.offset) = (Some(name), 0);
            }
            tail.torn = self.read_segment(&name.to_string())?;
            tail.rotating = self.offset == 0 && tail.torn == 0;
        }
        if let [.., before, _] = segments.as_slice() {
            tail.rotating |= !names.contains(&format!("{before}.sha256"));
        }
        tail.rekeying = self.last_type == "audit.key_rotated";
        Ok(tail)
    }

    /// Reads whole, valid lines; returns how many bytes stand after them.
    fn read_segment(&mut self, name: &str) -> Result<u64, String> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let io = |e: std::io::Error| format!("{name}: {e}");
        let mut file = std::fs::File::open(self.dir.join(name)).map_err(io)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(io)?;
        file.read_to_end(&mut buffer).map_err(io)?;
        let mut used = 0;
        for raw in buffer.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = raw.strip_suffix(b"\n") else { break };
            let at = self.offset + used;
            // After a power cut the end may be anything; whether it is only the end is seen when
            // the next writer has been there.
            let Ok(entry) = Entry::parse(line) else { break };
            if !entry.hash_matches() {
                break;
            }
            self.entry(&entry).map_err(|error| format!("{name}:{at}: {error}"))?;
            used += raw.len() as u64;
        }
        self.offset += used;
        let torn = buffer.len() as u64 - used;
        self.buffer = buffer;
        Ok(torn)
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), String> {
        let expected = Head { next_seq: entry.seq(), last_hash: entry.prev_hash() };
        if expected != self.head {
            return Err(format!("seq {} does not continue {:?}", entry.seq(), self.head));
        }
        self.head = Head { next_seq: entry.seq() + 1, last_hash: entry.hash() };
        if !self.ids.insert(entry.audit_id()) {
            return Err(format!("seq {}: audit_id {} stands twice", entry.seq(), entry.audit_id()));
        }
        entry.event_type().clone_into(&mut self.last_type);
        if entry.event_type().starts_with("audit.") {
            self.control(entry)
        } else {
            self.event(entry)
        }
    }

    fn control(&mut self, entry: &Entry<'_>) -> Result<(), String> {
        match entry.event_type() {
            "audit.opened" => {
                if self.left == Left::Open {
                    self.untold = Some(self.newest_life);
                }
                self.left = Left::Open;
            }
            "audit.recovered" => {
                self.left = Left::Recovered;
                self.untold = None;
            }
            "audit.closed" => self.left = Left::Closed,
            "audit.storage_failed" if !self.failed => {
                return Err(format!("seq {}: {}", entry.seq(), entry.line()));
            }
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self, entry: &Entry<'_>) -> Result<(), String> {
        let seq = entry.seq();
        let (life, thread, n) = label(entry).ok_or_else(|| format!("seq {seq}: no label"))?;
        if life < self.newest_life {
            return Err(format!("seq {seq}: life {life} after life {}", self.newest_life));
        }
        if self.untold.is_some_and(|newest| life > newest) {
            return Err(format!("seq {seq}: opened after a death, and no audit.recovered"));
        }
        self.newest_life = life;
        let stream = self.streams.entry((life, thread)).or_default();
        if stream.len() as u64 != n {
            let word = if n < stream.len() as u64 { "again" } else { "too early" };
            return Err(format!("seq {seq}: {life}/{thread}/{n} {word}, due is {}", stream.len()));
        }
        stream.push(seq);
        self.events += 1;
        Ok(())
    }
}

fn lost(life: u64, thread: usize, found: u64, promised: u64, word: &str) -> String {
    format!("life {life}, thread {thread}: {promised} events were {word}, {found} are there")
}

/// The label comes first in the details and has nothing to escape.
fn label(entry: &Entry<'_>) -> Option<(u64, usize, u64)> {
    let text = entry.details()?.strip_prefix("{\"label\":\"")?;
    let mut parts = text.get(..text.find('"')?)?.split('/');
    let label = (parts.next()?, parts.next()?, parts.next()?);
    Some((label.0.parse().ok()?, label.1.parse().ok()?, label.2.parse().ok()?))
}
