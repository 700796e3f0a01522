//! How long a compressed file is without its compression, from the headers of its frames.
//!
//! What must stay true here: what is no zstd file, or does not say, is not guessed at. The answer says
//! where things may be looked for, and nothing about what is there: unpacking decides that.

use std::io;

use super::{LogFile, read_full};

const MAGIC: u32 = 0xfd2f_b528;
/// Frames that hold nothing: the lowest four bits are free.
const SKIPPABLE: u32 = 0x184d_2a50;
/// More than the header of any frame.
const HEADER: usize = 18;
/// A block that is one byte, repeated.
const REPEATED: u32 = 1;

/// The length, if every frame states its own.
pub(super) fn stated_size(file: &dyn LogFile) -> io::Result<Option<u64>> {
    let (mut at, mut total) = (0_u64, 0_u64);
    loop {
        let mut header = [0; HEADER];
        let count = read_full(file, &mut header, at)?;
        let header = &header[..count];
        if header.is_empty() {
            return Ok((at > 0).then_some(total));
        }
        let Some(magic) = header.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)) else {
            return Ok(None);
        };
        if magic & !0xf == SKIPPABLE {
            let Some(&[a, b, c, d]) = header.get(4..8) else { return Ok(None) };
            at += 8 + u64::from(u32::from_le_bytes([a, b, c, d]));
            continue;
        }
        let Ok(Some(size)) = zstd::zstd_safe::get_frame_content_size(header) else {
            return Ok(None);
        };
        let Some(&descriptor) = header.get(4).filter(|_| magic == MAGIC) else { return Ok(None) };
        let Some(sum) = total.checked_add(size) else { return Ok(None) };
        total = sum;
        match past_blocks(file, at + header_len(descriptor))? {
            Some(end) => at = end + if descriptor & 4 == 0 { 0 } else { 4 },
            None => return Ok(None),
        }
    }
}

/// How long a frame's header is, as its fifth byte says.
fn header_len(descriptor: u8) -> u64 {
    let single_segment = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => u64::from(single_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    5 + u64::from(!single_segment) + dictionary + content
}

/// Where a frame's blocks end, of which the first begins at `at`.
fn past_blocks(file: &dyn LogFile, mut at: u64) -> io::Result<Option<u64>> {
    loop {
        let mut header = [0; 4];
        if read_full(file, &mut header[..3], at)? < 3 {
            return Ok(None);
        }
        let header = u32::from_le_bytes(header);
        let len = if (header >> 1) & 3 == REPEATED { 1 } else { header >> 3 };
        at += 3 + u64::from(len);
        if header & 1 == 1 {
            return Ok(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::LogSource;
    use crate::source::memory::MemorySource;

    fn stated(bytes: Vec<u8>) -> Option<u64> {
        let source: MemorySource = [("x", bytes)].into_iter().collect();
        stated_size(&*source.open("x").unwrap().unwrap()).unwrap()
    }

    fn frame(bytes: &[u8], sized: bool, checksum: bool) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(checksum).unwrap();
        if sized {
            encoder.set_pledged_src_size(Some(bytes.len() as u64)).unwrap();
        }
        io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn frames_state_their_length_or_nothing_is_known() {
        let mut noise = 1_u64;
        let mut random = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.to_le_bytes()[7]
        };
        let noisy: Vec<u8> = (0..400_000).map(|_| random()).collect();
        for bytes in [&b""[..], b"x", &[7; 300], &[7; 70_000], &noisy[..300], &noisy] {
            for checksum in [false, true] {
                let whole = frame(bytes, true, checksum);
                let len = bytes.len() as u64;
                assert_eq!(stated(whole.clone()), Some(len), "{len}, checksum {checksum}");
                let skipped = [&0x184d_2a53_u32.to_le_bytes()[..], &[2, 0, 0, 0, 9, 9]].concat();
                let several = [&whole[..], &skipped, &frame(b"abc", true, true), &whole].concat();
                assert_eq!(stated(several), Some(2 * len + 3));
                assert_eq!(stated([&whole[..], &frame(&noisy, false, checksum)].concat()), None);
                for cut in [1, whole.len() / 2] {
                    assert_eq!(
                        stated(whole[..whole.len() - cut].to_vec()).filter(|l| *l != len),
                        None
                    );
                }
            }
        }
        assert_eq!(stated(Vec::new()), None);
        assert_eq!(stated(b"no archive at all".to_vec()), None);
    }
}
