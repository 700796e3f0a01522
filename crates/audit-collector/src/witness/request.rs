//! The body of `add-checkpoint` (C2SP tlog-witness).
//!
//! What must stay true here: one request has one form; what is not exactly that is refused, and no
//! more than 63 hashes are ever taken.

use audit_core::chain::Hash;
use audit_core::checkpoint::SignedCheckpoint;
use base64ct::{Base64, Encoding};

/// The most consistency hashes of a request.
const MAX_HASHES: usize = 63;

/// A request, parsed and not believed.
#[derive(Debug, Clone)]
pub(super) struct AddCheckpoint {
    pub(super) old: u64,
    pub(super) proof: Vec<Hash>,
    pub(super) checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// Reads a body; says what is wrong with it otherwise.
    pub(super) fn parse(body: &[u8]) -> Result<AddCheckpoint, &'static str> {
        let (line, mut rest) = line(body).ok_or("expected `old`, a space and a size")?;
        let old = line.strip_prefix("old ").and_then(decimal);
        let old = old.ok_or("expected `old`, a space and a size in decimal")?;
        let mut proof = Vec::new();
        loop {
            let (next, after) = self::line(rest).ok_or("expected an empty line")?;
            rest = after;
            if next.is_empty() {
                break;
            }
            if proof.len() == MAX_HASHES {
                return Err("expected at most 63 hashes");
            }
            proof.push(hash(next).ok_or("expected base64 of a hash, or an empty line")?);
        }
        let checkpoint = SignedCheckpoint::parse(rest).map_err(|_| "expected a checkpoint")?;
        Ok(AddCheckpoint { old, proof, checkpoint })
    }
}

/// A line that ends in LF, and what follows.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at(at);
    Some((std::str::from_utf8(line).ok()?, rest.get(1..)?))
}

/// A size: decimal, below 2^63, without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let digits = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    let size: u64 = plain.then(|| text.parse().ok()).flatten()?;
    (size <= i64::MAX as u64).then_some(size)
}

fn hash(text: &str) -> Option<Hash> {
    let mut buffer = [0; 33];
    let bytes = (text.len() == 44).then(|| Base64::decode(text, &mut buffer).ok()).flatten()?;
    bytes.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str =
        "o\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} o AAAAAAE=\n";
    const HASH: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    #[test]
    fn one_form_only() {
        let parse = |text: String| AddCheckpoint::parse(text.as_bytes());
        let good = parse(format!("old 2\n{HASH}{HASH}\n{NOTE}")).unwrap();
        assert_eq!((good.old, good.proof.len(), good.checkpoint.unverified().size), (2, 2, 3));
        assert!(parse(format!("old 0\n{}\n{NOTE}", HASH.repeat(63))).is_ok());
        for bad in [
            String::new(),
            format!("old 2\n{NOTE}"),
            format!("old 02\n\n{NOTE}"),
            format!("old -1\n\n{NOTE}"),
            format!("old  1\n\n{NOTE}"),
            format!("old 9223372036854775808\n\n{NOTE}"),
            format!("Old 2\n\n{NOTE}"),
            format!("old 2\r\n\r\n{NOTE}"),
            format!("old 2\n{}\n{NOTE}", HASH.repeat(64)),
            format!("old 2\nAAAA\n\n{NOTE}"),
            format!("old 2\n\n{}", NOTE.trim_end()),
            "old 2\n\n".to_owned(),
        ] {
            assert!(parse(bad.clone()).is_err(), "{bad}");
        }
    }
}
