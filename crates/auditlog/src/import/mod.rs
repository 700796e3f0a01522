//! Audit logs of other programs as events: AWS CloudTrail, Kubernetes, Linux auditd, OCSF.
//!
//! What must stay true here: pure but for reading the input: the same bytes give the same events. What
//! has a member of its own in an entry goes there, everything else goes to `details` under the name it
//! had; nothing is dropped in silence. A bad record costs that record alone, and its place is told.
//! The tables of what goes where are in docs/import.md.

mod auditd;
mod cloudtrail;
mod draft;
mod k8s;
mod object;
mod ocsf;
mod records;

use std::io::{self, BufRead, BufReader};

use audit_core::event::GenericEvent;
use clap::ValueEnum;
use flate2::bufread::MultiGzDecoder;

use draft::Draft;
use object::Members;
use records::{Found, Records};

/// The first byte of gzip, which begins none of the forms.
const GZIP: u8 = 0x1f;

/// Whose audit log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// AWS CloudTrail: files of a bucket, or one record a line
    Cloudtrail,
    /// Kubernetes: audit.k8s.io/v1 Event, one a line, or an EventList
    K8s,
    /// Linux auditd: /var/log/audit/audit.log, or `ausearch --raw`
    Auditd,
    /// OCSF 1.x, one event a line or an array; our own export comes back as it was
    Ocsf,
}

/// A record of the input.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Where it begins.
    pub(crate) place: String,
    /// What it means, or why it means nothing.
    pub(crate) event: Result<GenericEvent, String>,
}

/// Reads events out of another program's audit log.
pub(crate) struct Importer<'i> {
    reader: Reader<'i>,
    number: u64,
}

enum Reader<'i> {
    Json(Records<'i>, fn(Members) -> Result<Draft, String>),
    Auditd(auditd::Events<'i>),
}

impl<'i> Importer<'i> {
    /// Reads from the input, which may be compressed with gzip.
    pub(crate) fn new(from: From, mut input: Box<dyn BufRead + 'i>) -> io::Result<Importer<'i>> {
        if input.fill_buf()?.first() == Some(&GZIP) {
            input = Box::new(BufReader::new(MultiGzDecoder::new(input)));
        }
        let reader = match from {
            From::Cloudtrail => {
                Reader::Json(Records::new(input, Some("Records")), cloudtrail::draft)
            }
            From::K8s => Reader::Json(Records::new(input, Some("items")), k8s::draft),
            From::Ocsf => Reader::Json(Records::new(input, None), ocsf::draft),
            From::Auditd => Reader::Auditd(auditd::Events::new(input)),
        };
        Ok(Importer { reader, number: 0 })
    }

    /// The next record; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Imported>> {
        let found = match &mut self.reader {
            Reader::Json(records, draft) => records
                .next()?
                .map(|Found { place, text }| (place, text.and_then(|t| read(&t, *draft)))),
            Reader::Auditd(events) => events.next()?,
        };
        let Some((place, draft)) = found else { return Ok(None) };
        self.number += 1;
        Ok(Some(Imported { number: self.number, place, event: draft.and_then(|d| d.event()) }))
    }
}

fn read(text: &[u8], draft: fn(Members) -> Result<Draft, String>) -> Result<Draft, String> {
    let text = std::str::from_utf8(text)
        .map_err(|error| format!("not UTF-8 at byte {} of the record", error.valid_up_to()))?;
    let members =
        Members::parse(text).map_err(|error| format!("not JSON: {error} of the record"))?;
    draft(members)
}
