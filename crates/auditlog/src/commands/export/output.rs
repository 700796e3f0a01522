//! Where records go.
//!
//! What must stay true here: what a stream did not confirm is written again; a file that is appended to holds whole records only: what a crash left of
//! one is cut off, it comes again. Nothing is ever cut off a file that no export was writing.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use audit_shipper::siem::{Delivery, DeliveryError};

use crate::error::CliError;
use crate::output::Output;

/// How long a stream's records wait for being confirmed: each time costs a connection.
const SETTLE: Duration = Duration::from_secs(5);

/// Standard output, a file, or a stream to a SIEM.
pub(super) enum Sink<'o> {
    Standard(&'o mut Output),
    /// A file, and how long it was when it was opened.
    File(BufWriter<File>, u64),
    Stream(Box<Stream>),
}

/// A stream, and what is not confirmed of it.
pub(super) struct Stream {
    delivery: Delivery,
    /// When the first record was sent that is not confirmed.
    since: Option<Instant>,
    /// Why the last write failed.
    failed: Option<DeliveryError>,
}

impl<'o> Sink<'o> {
    /// Opens a file for appending, or takes standard output. `resumes` says that an export was writing
    /// to it.
    pub(super) fn open(
        path: Option<&Path>,
        resumes: bool,
        out: &'o mut Output,
    ) -> Result<Sink<'o>, CliError> {
        let Some(path) = path else { return Ok(Sink::Standard(out)) };
        let open = || -> io::Result<(File, u64)> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            let len = go_to_end(&mut file, resumes)?;
            Ok((file, len))
        };
        let (file, len) = open().map_err(|error| CliError::Usage {
            what: format!("cannot write {}: {error}", path.display()),
            next: "give a file that you may write",
        })?;
        Ok(Sink::File(BufWriter::with_capacity(1 << 20, file), len))
    }

    /// Records go to a SIEM.
    pub(super) fn stream(delivery: Delivery) -> Sink<'o> {
        Sink::Stream(Box::new(Stream { delivery, since: None, failed: None }))
    }

    /// How long the file was when it was opened, without what was not whole.
    pub(super) const fn len(&self) -> Option<u64> {
        match self {
            Sink::File(_, len) => Some(*len),
            _ => None,
        }
    }

    /// Whether records are framed for a stream, instead of ending with the line.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self, Sink::Stream(_))
    }

    /// Whether it is time to make sure.
    pub(super) fn is_due(&self) -> bool {
        match self {
            Sink::Stream(stream) => stream.since.is_none_or(|since| since.elapsed() >= SETTLE),
            _ => true,
        }
    }

    /// Makes sure of what was written, as far as that can be done from here.
    pub(super) fn make_safe(&mut self) -> Result<(), CliError> {
        self.flush()?;
        match self {
            Sink::Standard(_) => {}
            Sink::File(file, _) => file.get_ref().sync_data()?,
            Sink::Stream(stream) => {
                stream.since = None;
                stream.delivery.confirm()?;
            }
        }
        Ok(())
    }

    /// Why a write failed, if the stream knows better than the error. Nothing of what was not
    /// confirmed is there any more.
    pub(super) fn start_again(&mut self) -> Option<DeliveryError> {
        let Sink::Stream(stream) = self else { return None };
        stream.delivery.reset();
        stream.since = None;
        stream.failed.take()
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Standard(out) => out.write(bytes),
            Sink::File(file, _) => file.write(bytes),
            Sink::Stream(stream) => {
                stream.since.get_or_insert_with(Instant::now);
                stream.delivery.send(bytes).map_err(|error| {
                    stream.failed = Some(error);
                    io::Error::other("the stream broke")
                })?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Standard(out) => out.flush(),
            Sink::File(file, _) => file.flush(),
            Sink::Stream(_) => Ok(()),
        }
    }
}

/// Goes to the end of the file; gives how long it is. What stands behind the last line's end is cut off if it is ours.
fn go_to_end(file: &mut File, ours: bool) -> io::Result<u64> {
    let len = file.seek(SeekFrom::End(0))?;
    let mut end = len;
    let mut block = [0; 64 * 1024];
    let whole = loop {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - start).map_err(io::Error::other)?];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        match part.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => break start + at as u64 + 1,
            None if start == 0 => break 0,
            None => end = start,
        }
    };
    if whole < len && !ours {
        return Err(io::Error::other("it ends in the middle of a line"));
    }
    file.set_len(whole)?;
    file.seek(SeekFrom::Start(whole))
}
