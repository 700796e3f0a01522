//! A segment, line by line.
//!
//! What must stay true here: a line is never longer in memory than an entry can be, however long
//! it is on disk.

use std::io;
use std::sync::Arc;

use audit_core::chain::MAX_LINE;
use memchr::memchr;

use crate::source::{LogFile, read_some};

/// Room for several of the longest lines.
const BUFFER: usize = 4 * (MAX_LINE + 1);
/// How much of a line that is too long is kept.
const HEAD: usize = 64;

/// A line, or what stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it is.
    pub kind: LineKind,
    /// Where it begins in its segment.
    pub offset: u64,
    /// How long it is, LF not counted.
    pub len: u64,
    /// Its bytes without LF: all of them, of one longer than any entry only the first few.
    pub bytes: &'a [u8],
}

/// What stands where a line should stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineKind {
    /// A line that ends in LF.
    Complete,
    /// A line longer than any entry, which ends in LF.
    Oversized,
    /// The file ends before the line does: torn, or being written.
    Partial,
}

/// Where a line is, before anybody looks at its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) kind: LineKind,
    offset: u64,
    len: u64,
    /// The shown bytes in the buffer; of a line that is too long they are kept apart.
    start: usize,
    shown: usize,
    too_long: bool,
}

/// Reads lines from a file that may grow meanwhile.
#[derive(Debug)]
pub(crate) struct LineReader {
    file: Arc<dyn LogFile>,
    buffer: Box<[u8]>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// Where in the file the unread part begins.
    offset: u64,
    /// The unread part is a line that had not ended: it is read again, as recovery may have
    /// replaced it.
    stale: bool,
    /// How the last line that was too long began.
    head: [u8; HEAD],
    /// Bytes behind `offset` of a line that is too long and has not ended: they are read again.
    passed: u64,
}

impl LineReader {
    /// Reads from `offset`, which is the beginning of a line.
    pub(crate) fn new(file: Arc<dyn LogFile>, offset: u64) -> LineReader {
        LineReader {
            file,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            offset,
            stale: false,
            head: [0; HEAD],
            passed: 0,
        }
    }

    /// How far it was read, a last line that never ended included.
    pub(crate) const fn end(&self) -> u64 {
        self.offset + self.passed + (self.end - self.start) as u64
    }

    /// The bytes of the line that [`LineReader::advance`] just gave.
    pub(crate) fn line(&self, span: Span) -> Line<'_> {
        let Span { kind, offset, len, start, shown, too_long } = span;
        let bytes = if too_long { &self.head[..shown] } else { &self.buffer[start..start + shown] };
        Line { kind, offset, len, bytes }
    }

    /// The next line; `None` at the end of the file. A partial line is not consumed.
    pub(crate) fn advance(&mut self) -> io::Result<Option<Span>> {
        if self.stale {
            (self.end, self.stale, self.passed) = (self.start, false, 0);
        }
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            let offset = self.offset;
            if let Some(at) = memchr(b'\n', &unread[searched..])
                && searched + at <= MAX_LINE
            {
                let (start, shown) = (self.start, searched + at);
                self.consume(shown + 1);
                let (kind, len) = (LineKind::Complete, shown as u64);
                return Ok(Some(Span { kind, offset, len, start, shown, too_long: false }));
            }
            searched = unread.len();
            if searched > MAX_LINE {
                return self.skip_oversized().map(Some);
            }
            if self.fill()? == 0 {
                let (start, shown) = (self.start, searched);
                self.stale = shown > 0;
                let (kind, len) = (LineKind::Partial, shown as u64);
                let span = Span { kind, offset, len, start, shown, too_long: false };
                return Ok(self.stale.then_some(span));
            }
        }
    }

    /// Passes over a line that is too long, to its LF. At the end of the file it is one that has not ended,
    /// and stays.
    fn skip_oversized(&mut self) -> io::Result<Span> {
        let offset = self.offset;
        self.head.copy_from_slice(&self.buffer[self.start..self.start + HEAD]);
        let len = loop {
            let unread = &self.buffer[self.start..self.end];
            let lf = memchr(b'\n', unread);
            self.consume(lf.map_or(unread.len(), |at| at + 1));
            if lf.is_some() {
                break self.offset - offset - 1;
            }
            if self.fill()? == 0 {
                let len = self.offset - offset;
                (self.offset, self.passed, self.stale) = (offset, len, true);
                let kind = LineKind::Partial;
                return Ok(Span { kind, offset, len, start: 0, shown: HEAD, too_long: true });
            }
        };
        let kind = LineKind::Oversized;
        Ok(Span { kind, offset, len, start: 0, shown: HEAD, too_long: true })
    }

    /// Steps over `len` unread bytes.
    fn consume(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
    }

    /// Reads on; gives the number of bytes, 0 at the end of the file.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let at = self.offset + self.end as u64;
        let count = read_some(&*self.file, &mut self.buffer[self.end..], at)?;
        self.end += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A file whose content a test changes.
    #[derive(Debug)]
    struct Changing(Mutex<Vec<u8>>);

    impl LogFile for Changing {
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().len() as u64)
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let bytes = self.0.lock().unwrap();
            let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or(&[]);
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }
    }

    fn file(bytes: &[u8]) -> Arc<Changing> {
        Arc::new(Changing(Mutex::new(bytes.to_vec())))
    }

    /// Kind, offset, length and shown bytes of every line.
    fn lines(bytes: &[u8]) -> Vec<(LineKind, u64, u64, usize)> {
        let mut reader = LineReader::new(file(bytes), 0);
        let mut all = Vec::new();
        while let Some(span) = reader.advance().unwrap() {
            let line = reader.line(span);
            let from = usize::try_from(line.offset).unwrap();
            assert_eq!(line.bytes, &bytes[from..from + line.bytes.len()]);
            all.push((line.kind, line.offset, line.len, line.bytes.len()));
            if line.kind == LineKind::Partial {
                break;
            }
        }
        assert_eq!(reader.end(), bytes.len() as u64);
        all
    }

    #[test]
    fn lines_of_every_kind() {
        use LineKind::{Complete, Oversized, Partial};
        assert_eq!(lines(b""), []);
        let expected = [(Complete, 0, 1, 1), (Complete, 2, 0, 0), (Partial, 3, 2, 2)];
        assert_eq!(lines(b"a\n\nbc"), expected);
        for over in [1, 2, 70, BUFFER, 3 * BUFFER] {
            let len = MAX_LINE + over;
            let mut bytes = b"a\n".to_vec();
            bytes.extend(vec![b'x'; len]);
            assert_eq!(lines(&bytes)[1], (Partial, 2, len as u64, HEAD));
            bytes.extend(b"\nb\n");
            let after = 3 + len as u64;
            assert_eq!(
                lines(&bytes)[1..],
                [(Oversized, 2, len as u64, HEAD), (Complete, after, 1, 1)]
            );
        }
        let mut bytes = vec![b'x'; MAX_LINE];
        bytes.push(b'\n');
        assert_eq!(lines(&bytes.repeat(9)).len(), 9);
        assert!(lines(&bytes.repeat(9)).iter().all(|line| line.0 == Complete));
    }

    #[test]
    fn a_partial_line_is_read_again_from_where_it_begins() {
        let file = file(b"a\nbc");
        let mut reader = LineReader::new(file.clone(), 0);
        assert!(reader.advance().unwrap().is_some());
        let partial = reader.advance().unwrap().unwrap();
        assert_eq!(reader.line(partial).bytes, b"bc");
        *file.0.lock().unwrap() = b"a\nxyz\n".to_vec();
        let whole = reader.advance().unwrap().unwrap();
        assert_eq!(reader.line(whole).bytes, b"xyz");
        // One that is too long to be read at once, too: a recovery takes it away.
        file.0.lock().unwrap().extend(vec![0; 3 * BUFFER]);
        let partial = reader.advance().unwrap().unwrap();
        assert_eq!((partial.kind, partial.len), (LineKind::Partial, 3 * BUFFER as u64));
        *file.0.lock().unwrap() = b"a\nxyz\nmore\n".to_vec();
        let whole = reader.advance().unwrap().unwrap();
        assert_eq!(reader.line(whole).bytes, b"more");
    }
}
