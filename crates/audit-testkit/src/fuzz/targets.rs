//! The targets: what is promised for any bytes.
//!
//! What must stay true here: each asserts more than that nothing panics, or says why it cannot.

use audit_core::chain::{Hash, Head};
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::encode::{EncodePolicy, Encoder, Stamp};
use audit_core::entry::{Entry, Parser};
use audit_core::event::{Event, GenericEvent};
use audit_core::note::{NoteSignature, SignatureType, SignedNote, Signer, SigningKey, VerifierKey};
use audit_core::plan;
use audit_core::proof::TlogProof;
use audit_core::segment::SegmentName;
use audit_core::tile::{Tile, parse_bundle, push_leaf};
use audit_core::tree::{verify_consistency, verify_inclusion};
use jiff::Timestamp;
use uuid::Uuid;

use super::oracle;

fn any_key() -> VerifierKey {
    let key = SigningKey::from_seed(SignatureType::Ed25519, "audit.example/a", &[7; 32]);
    key.expect("a key").verifier_key().clone()
}

/// The strict grammar: accepted if and only if a second, independent reading accepts.
pub(super) fn entry(bytes: &[u8]) {
    let mut parser = Parser::default();
    let parsed = parser.parse(bytes);
    let independent = oracle::is_entry(bytes);
    assert_eq!(parsed.is_ok(), independent, "the parser says {parsed:?}");
    match parsed {
        Ok(entry) => {
            assert_eq!(entry.line().as_bytes(), bytes);
            let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
            // Numbers that no f64 holds are JSON and no serde_json value.
            if !json.is_null() {
                assert_eq!(json["seq"].as_u64(), Some(entry.seq()));
                let service = entry.service_id().decode();
                assert_eq!(json["service_id"].as_str(), Some(&*service));
            }
            // A parser that was used before says the same.
            assert!(parser.parse(bytes).is_ok());
        }
        Err(error) => assert!(error.offset <= bytes.len(), "{error:?}"),
    }
}

/// A note has one spelling.
pub(super) fn note(bytes: &[u8]) {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        assert!(note.verify(&[any_key()]).is_err(), "nobody signed this");
    }
    if let Ok(lines) = NoteSignature::parse_lines(bytes) {
        let text: String = lines.iter().map(ToString::to_string).collect();
        assert_eq!(text.as_bytes(), bytes);
    }
}

/// A checkpoint has one spelling, and is nobody's before it was verified.
pub(super) fn checkpoint(bytes: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::parse(bytes) {
        assert_eq!(signed.to_string().as_bytes(), bytes);
        assert!(signed.verify(&any_key()).is_err(), "nobody signed this");
        assert!(signed.verify_cosignatures(&[any_key()]).is_err());
        let text = signed.unverified().to_string();
        assert_eq!(Checkpoint::parse_text(&text).as_ref(), Ok(signed.unverified()));
    }
}

/// A proof has one spelling, and proves nothing that nobody signed.
pub(super) fn proof(bytes: &[u8]) {
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        assert!(proof.verify_leaf(&Hash::ZERO, &any_key()).is_err());
        assert!(proof.verify_entry(bytes, &any_key()).is_err());
    }
}

/// A tile has one path; a bundle holds what was put in.
pub(super) fn tile(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(tile) = Tile::parse(text)
    {
        assert_eq!(tile.to_string(), text);
        let inside = tile.is_in(u64::MAX >> 1);
        assert!(!inside || !tile.is_in(0), "{tile:?}");
        assert!(tile.first_leaf().is_none_or(|leaf| leaf % 256 == 0));
    }
    if let Ok(leaves) = parse_bundle(bytes) {
        let mut again = Vec::new();
        let put = leaves.iter().try_for_each(|leaf| push_leaf(&mut again, leaf));
        assert!(put.is_ok() && again == bytes, "{leaves:?}");
    }
}

/// Proofs of any form and size end without a panic, and without a proof: the root is a hash of
/// nothing that is there.
pub(super) fn tree(bytes: &[u8]) {
    let (numbers, hashes) = bytes.split_at(bytes.len().min(24));
    let number = |at: usize| {
        let chunk = numbers.get(at..).and_then(|rest| rest.first_chunk());
        chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    let (a, b) = (number(0), number(8));
    // Sizes of every magnitude, near and far apart.
    let (a, b) = (a >> (number(16) % 64), b >> (number(16) / 64 % 64));
    let proof: Vec<Hash> = hashes.as_chunks::<32>().0.iter().map(|chunk| Hash(*chunk)).collect();
    let root = Hash([0x5a; 32]);
    assert!(verify_inclusion(&Hash::ZERO, a, b, &root, &proof).is_err());
    let held = verify_consistency(a, &Hash::ZERO, b, &root, &proof);
    // Everything extends the empty tree, without a proof: nothing is said of the root.
    assert!(held.is_err() || a == 0, "{a} {b}");
}

/// Keys and names of segments have one spelling; no secret stands in what is said of a wrong one.
pub(super) fn key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    match SigningKey::parse(text) {
        Ok(key) => assert_eq!(*key.to_secret_line(), text.strip_suffix('\n').unwrap_or(text)),
        Err(error) => {
            let said = format!("{error} {error:?}");
            let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
            let secret = text.splitn(5, '+').nth(4).map(|secret| secret.trim_end());
            let secret = secret.filter(|secret| secret.len() > 20 && secret.chars().all(base64));
            assert!(secret.is_none_or(|secret| !said.contains(secret)), "{said}");
        }
    }
    if let Some(name) = SegmentName::parse(text) {
        assert_eq!(name.to_string(), text);
    }
}

/// Whatever `emit` accepts becomes an entry that keeps the grammar, and nothing is refused for what
/// its strings hold.
pub(super) fn emit(bytes: &[u8]) {
    let Ok(event) = GenericEvent::from_json_line(bytes) else { return };
    assert!(audit_core::event::event_type::is_well_formed(event.event_type()));
    let stamp = Stamp {
        audit_id: Uuid::from_u128(0x0193_2c05_aa01_7000_8000_0000_0000_0001),
        now: Timestamp::UNIX_EPOCH,
        service_id: "fuzz",
    };
    let mut encoder = Encoder::default();
    let body = encoder.encode(&EncodePolicy::default(), &stamp, &event);
    assert!(body.len() <= plan::MAX_BODY);
    let (mut line, mut head) = (Vec::new(), Head { next_seq: u64::MAX - 1, ..Head::EMPTY });
    plan::append_line(&mut line, &mut head, body);
    let line = line.strip_suffix(b"\n").expect("a line ends in LF");
    let entry = Entry::parse(line).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(entry.hash_matches() && oracle::is_entry(line));
    assert_eq!(entry.event_type(), event.event_type());
}
