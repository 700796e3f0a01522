//! The lines of one piece.
//!
//! What must stay true here: a line belongs to the piece in which it begins, so the bytes read
//! reach as far behind the piece as its last line does, and no further than an entry can be long.

use std::io;
use std::sync::Arc;

use audit_core::chain::MAX_LINE;
use memchr::{memchr, memrchr};

use super::{Piece, Segment};
use crate::source::{LogFile, read_full};
use crate::{ReadError, Source};

/// What is read behind a piece at first: nearly every line ends within it.
const TAIL: u64 = 4 * 1024;

/// Reads pieces, and keeps the memory and the file that takes.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    file: Option<(usize, Arc<dyn LogFile>)>,
}

/// The whole lines that begin in a piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// Where they begin in the segment.
    pub(crate) offset: u64,
    /// Each with its LF.
    pub(crate) lines: &'a [u8],
    pub(crate) ending: Ending,
}

/// What begins in a piece behind its last whole line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing.
    Whole,
    /// A line that the segment's end cuts off.
    CutOff,
    /// A line longer than any entry.
    Oversized,
}

impl Reader {
    /// Reads a piece; `None` if retention was faster.
    pub(crate) fn read(
        &mut self,
        source: &Source,
        segments: &[Segment],
        piece: Piece,
    ) -> Result<Option<Block<'_>>, ReadError> {
        let segment = &segments[piece.segment];
        if self.file.as_ref().is_none_or(|(open, _)| *open != piece.segment) {
            self.file = None;
            self.file = segment.open(source)?.map(|file| (piece.segment, file));
        }
        let Some((_, file)) = &self.file else { return Ok(None) };
        let block = read_lines(&**file, &mut self.buffer, piece, segment.len);
        let path = || source.place_of(&segment.name.to_string());
        block.map(Some).map_err(|error| ReadError::io(&path())(error))
    }
}

fn read_lines<'a>(
    file: &dyn LogFile,
    buffer: &'a mut Vec<u8>,
    piece: Piece,
    len: u64,
) -> io::Result<Block<'a>> {
    let Piece { from, to, .. } = piece;
    // The byte before the piece says whether a line begins with it.
    let base = from.saturating_sub(1);
    let mut read = fill(file, buffer, 0, base, (to + TAIL).min(len))?;
    let start = match from {
        0 => Some(0),
        _ => memchr(b'\n', &buffer[..read]).map(|lf| lf + 1),
    };
    let inside = |at: &usize| base + (*at as u64) < to;
    let Some(start) = start.filter(inside) else {
        return Ok(Block { offset: to, lines: &[], ending: Ending::Whole });
    };
    // The last line that begins in the piece ends with the first LF from its last byte on.
    let last = usize::try_from(to - 1 - base).unwrap_or(usize::MAX);
    let mut end = memchr(b'\n', buffer.get(last..read).unwrap_or(&[]));
    if end.is_none() && base + (read as u64) < len {
        let more = (to + MAX_LINE as u64 + 1).min(len);
        read = fill(file, buffer, read, base, more)?;
        end = memchr(b'\n', buffer.get(last..read).unwrap_or(&[]));
    }
    let (end, ending) = match end {
        Some(lf) => (last + lf + 1, Ending::Whole),
        None => {
            let end = memrchr(b'\n', &buffer[..read]).map_or(start, |lf| (lf + 1).max(start));
            let ending = match read - end {
                0 => Ending::Whole,
                1..=MAX_LINE => Ending::CutOff,
                _ => Ending::Oversized,
            };
            (end, ending)
        }
    };
    Ok(Block { offset: base + start as u64, lines: &buffer[start..end], ending })
}

/// Reads the bytes of a file from `base` to `end` into the buffer, of which `have` are there; gives
/// how many there are now, which is fewer if the file is shorter.
fn fill(
    file: &dyn LogFile,
    buffer: &mut Vec<u8>,
    have: usize,
    base: u64,
    end: u64,
) -> io::Result<usize> {
    let wanted = usize::try_from(end - base).map_err(io::Error::other)?;
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    let more = read_full(file, &mut buffer[have..wanted], base + have as u64)?;
    Ok(have + more)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The lines of all pieces of this size, and how they end.
    fn pieces(bytes: &[u8], size: u64) -> (Vec<Vec<u8>>, Vec<Ending>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let len = bytes.len() as u64;
        let (mut lines, mut endings, mut from) = (Vec::new(), Vec::new(), 0);
        let mut buffer = Vec::new();
        while from < len {
            let to = (from + size).min(len);
            let block =
                read_lines(&file, &mut buffer, Piece { segment: 0, from, to }, len).unwrap();
            let at = usize::try_from(block.offset).unwrap();
            assert_eq!(&bytes[at..at + block.lines.len()], block.lines);
            lines.extend(block.lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
            endings.extend((block.ending != Ending::Whole).then_some(block.ending));
            from = to;
        }
        (lines, endings)
    }

    #[test]
    fn each_line_is_in_one_piece_whatever_the_pieces_are() {
        let text = b"a\n\nbcd\nefghijklmnop\nq\n";
        let whole: Vec<_> =
            text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        for size in 1..=text.len() as u64 + 1 {
            assert_eq!(pieces(text, size), (whole.clone(), vec![]), "pieces of {size}");
            let torn = [&text[..], b"rst"].concat();
            assert_eq!(pieces(&torn, size), (whole.clone(), vec![Ending::CutOff]), "{size}");
        }
    }

    #[test]
    fn lines_too_long_are_told_of_once_and_the_longest_are_whole() {
        let longest = [vec![b'x'; MAX_LINE], b"\n".to_vec()].concat();
        let over = [vec![b'y'; 4 * MAX_LINE], b"\n".to_vec()].concat();
        let bytes = [b"a\n", &longest[..], &over, b"b\n"].concat();
        for size in [1_000, 4_096, 70_000] {
            let (lines, endings) = pieces(&bytes, size);
            assert_eq!(lines, [b"a\n".to_vec(), longest.clone(), b"b\n".to_vec()], "{size}");
            assert_eq!(endings, [Ending::Oversized], "{size}");
        }
    }
}
