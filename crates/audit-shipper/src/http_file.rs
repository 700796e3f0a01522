//! One file behind an HTTP server.
//!
//! What must stay true here: a server that sends another part than was asked for, or less, is an error and
//! never an end of the file. The number of requests does not follow from how often something is read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use audit_reader::{LogFile, temporary_room};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, BodyReader};

use crate::http_source::found;

/// Bytes that are passed over rather than asked for anew.
const PASSED_OVER: u64 = 1 << 20;
/// Bytes of a part.
const PART: u64 = 1 << 20;
/// Parts that are kept in mind.
const PARTS: usize = 8;

/// A file, read as one stream as long as nobody jumps far, or back.
pub(crate) struct HttpFile {
    agent: Agent,
    address: String,
    stream: Mutex<Option<Stream>>,
}

struct Stream {
    body: BodyReader<'static>,
    at: u64,
}

/// What a server sends that was asked for a part.
enum Sent {
    Part(BodyReader<'static>),
    /// It knows no parts: all of it.
    Whole(BodyReader<'static>),
    /// There is nothing from there on.
    Nothing,
}

impl Stream {
    /// Goes on to `offset`; false if the file ends before.
    fn pass_to(&mut self, offset: u64) -> io::Result<bool> {
        let ahead = offset - self.at;
        self.at += io::copy(&mut self.body.by_ref().take(ahead), &mut io::sink())?;
        Ok(self.at == offset)
    }
}

impl HttpFile {
    pub(crate) const fn new(agent: Agent, address: String) -> HttpFile {
        HttpFile { agent, address, stream: Mutex::new(None) }
    }

    /// Asks for the bytes from `offset` on, as far as `end`, which is not included.
    fn ask(&self, offset: u64, end: Option<u64>) -> io::Result<Sent> {
        let mut request = self.agent.get(&self.address);
        if offset > 0 || end.is_some() {
            let last = end.map_or(String::new(), |end| (end - 1).to_string());
            request = request.header("range", format!("bytes={offset}-{last}"));
        }
        let response = request.call().map_err(io::Error::other)?;
        match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Sent::Nothing),
            StatusCode::PARTIAL_CONTENT if begins_at(&response, offset) => {
                return Ok(Sent::Part(response.into_body().into_reader()));
            }
            StatusCode::PARTIAL_CONTENT => {
                return Err(io::Error::other("the server sent another part than was asked for"));
            }
            _ => {}
        }
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the file is gone");
        let response = found(response, StatusCode::OK)?.ok_or_else(gone)?;
        Ok(Sent::Whole(response.into_body().into_reader()))
    }

    /// A stream from `offset` on; `None` if the file ends before.
    fn stream(&self, offset: u64) -> io::Result<Option<Stream>> {
        match self.ask(offset, None)? {
            Sent::Nothing => Ok(None),
            Sent::Part(body) => Ok(Some(Stream { body, at: offset })),
            Sent::Whole(body) => {
                let mut stream = Stream { body, at: 0 };
                Ok(stream.pass_to(offset)?.then_some(stream))
            }
        }
    }
}

fn begins_at(response: &Response<Body>, offset: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

impl LogFile for HttpFile {
    fn size(&self) -> io::Result<u64> {
        let response = self.agent.head(&self.address).call().map_err(io::Error::other)?;
        let response = found(response, StatusCode::OK)?;
        let length = response.as_ref().and_then(|r| r.headers().get("content-length"));
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        length.ok_or_else(|| io::Error::other("the server does not say how long the file is"))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut open = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let near = |stream: &Stream| (stream.at..=stream.at + PASSED_OVER).contains(&offset);
        let stream = match open.take().filter(near) {
            Some(mut stream) => stream.pass_to(offset)?.then_some(stream),
            None => None,
        };
        let stream = match stream {
            Some(stream) => Some(stream),
            // At the end of a stream too: the file may have grown.
            None => self.stream(offset)?,
        };
        let Some(mut stream) = stream else { return Ok(0) };
        let count = stream.body.read(buffer)?;
        stream.at += count as u64;
        *open = Some(stream).filter(|_| count > 0);
        Ok(count)
    }
}

impl fmt::Debug for HttpFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFile").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A file that is looked into here and there, as it was when that began: parts of it are kept in mind, or
/// it is copied once, where the server knows no parts.
#[derive(Debug)]
pub(crate) struct Scattered {
    file: HttpFile,
    known: Mutex<Known>,
}

#[derive(Debug)]
enum Known {
    /// By their number, the one that was used last at the end.
    Parts(Vec<(u64, Vec<u8>)>),
    Copy(File),
    /// No copy can be made, and why: it is not tried again for each read.
    Refused(String),
}

impl Scattered {
    pub(crate) const fn new(file: HttpFile) -> Scattered {
        Scattered { file, known: Mutex::new(Known::Parts(Vec::new())) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of the file in one that has no name and goes with its last descriptor (in `TMPDIR`).
    fn copy(mut body: BodyReader<'static>) -> io::Result<File> {
        let mut copy = tempfile::tempfile()?;
        let room = temporary_room(&copy)?;
        if io::copy(&mut body.by_ref().take(room), &mut copy)? == room {
            let temporary = std::env::temp_dir();
            let why = format!("it is larger than what is to spare in {}", temporary.display());
            return Err(io::Error::other(format!("{why}: set TMPDIR")));
        }
        copy.flush()?;
        Ok(copy)
    }
}

impl LogFile for Scattered {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut known = self.known();
        let parts = match &mut *known {
            Known::Copy(copy) => return FileExt::read_at(copy, buffer, offset),
            Known::Refused(why) => return Err(io::Error::other(why.clone())),
            Known::Parts(parts) => parts,
        };
        let number = offset / PART;
        if let Some(at) = parts.iter().position(|(known, _)| *known == number) {
            let part = parts.remove(at);
            parts.push(part);
        } else {
            let start = number * PART;
            let mut part = Vec::new();
            match self.file.ask(start, Some(start + PART))? {
                Sent::Nothing => {}
                Sent::Part(body) => {
                    body.take(PART).read_to_end(&mut part)?;
                }
                Sent::Whole(body) => {
                    let copy = match Scattered::copy(body) {
                        Ok(copy) => copy,
                        Err(error) => {
                            *known = Known::Refused(error.to_string());
                            return Err(error);
                        }
                    };
                    let count = FileExt::read_at(&copy, buffer, offset);
                    *known = Known::Copy(copy);
                    return count;
                }
            }
            if parts.len() == PARTS {
                parts.remove(0);
            }
            parts.push((number, part));
        }
        let part = parts.last().map_or(&[][..], |(_, part)| part);
        let from = usize::try_from(offset % PART).unwrap_or(usize::MAX);
        let left = part.get(from..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        Ok(count)
    }
}
