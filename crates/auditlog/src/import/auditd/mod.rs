//! Linux auditd: the records of one event, joined by its id.
//!
//! What must stay true here: every field of every record is in `details.records`, decoded; an event is
//! given when its end was read, when many others were begun since, or at the end of the input.

mod event;
mod fields;

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use super::draft::Draft;
use fields::Record;

/// The longest line, in bytes.
const MAX_LINE: u64 = 1 << 20;
/// Events that may be open at a time; the kernel mixes a few.
const OPEN: usize = 64;
/// Bytes of the lines of one event: a longer one is given in parts.
const EVENT: usize = 16 << 20;
/// Records of one event; no kernel writes so many.
const RECORDS: usize = 1_024;

/// The records of one event, as far as they were read.
#[derive(Debug)]
struct Open {
    place: String,
    id: fields::Id,
    records: Vec<Record>,
    bytes: usize,
    ended: bool,
}

/// Reads events.
pub(super) struct Events<'i> {
    input: Box<dyn BufRead + 'i>,
    line: u64,
    open: VecDeque<Open>,
    at_end: bool,
}

type Found = (String, Result<Draft, String>);

impl<'i> Events<'i> {
    pub(super) fn new(input: Box<dyn BufRead + 'i>) -> Events<'i> {
        Events { input, line: 0, open: VecDeque::new(), at_end: false }
    }

    /// The next event, or a line that is no record; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        loop {
            let due = self.at_end || self.open.len() > OPEN;
            if let Some(open) = self.open.pop_front_if(|open| due || open.ended) {
                let records = &open.records;
                return Ok(Some((open.place, event::draft(&open.id, records))));
            }
            if self.at_end {
                return Ok(None);
            }
            if let Some(bad) = self.read_line()? {
                return Ok(Some(bad));
            }
        }
    }

    /// Reads a line; gives it back if it is no record.
    fn read_line(&mut self) -> io::Result<Option<Found>> {
        let mut line = Vec::new();
        if self.input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
            self.at_end = true;
            return Ok(None);
        }
        self.line += 1;
        let place = format!("line {}", self.line);
        if line.len() as u64 > MAX_LINE && !line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
            return Ok(Some((place, Err(format!("longer than {MAX_LINE} bytes")))));
        }
        let text = line.trim_ascii();
        // What ausearch puts between events.
        if text.is_empty() || text.starts_with(b"----") || text.starts_with(b"time->") {
            return Ok(None);
        }
        match fields::read(text) {
            Ok((id, record)) => self.add(place, text.len(), id, record),
            Err(why) => return Ok(Some((place, Err(why)))),
        }
        Ok(None)
    }

    fn add(&mut self, place: String, bytes: usize, id: fields::Id, record: Record) {
        let ends = record.kind == "EOE";
        let there = self.open.iter_mut().find(|open| open.id == id && !open.ended);
        match there {
            Some(open) => {
                open.bytes += bytes;
                open.ended = ends || open.bytes >= EVENT || open.records.len() + 1 >= RECORDS;
                if !ends {
                    open.records.push(record);
                }
            }
            // An end without a beginning is the end of what was cut off before: nothing to tell.
            None if ends => {}
            None => {
                let records = vec![record];
                self.open.push_back(Open { place, id, records, bytes, ended: false });
            }
        }
    }
}
