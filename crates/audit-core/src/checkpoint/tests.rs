//! Checkpoints against the vectors, C2SP's examples and Cloudflare's `tlog_tiles`.

use proptest::prelude::*;
use tlog_tiles::checkpoint as oracle;

use super::*;
use crate::entry::Entry;
use crate::note::SigningKey;
use crate::tree::{Frontier, empty_root};

const BEHIND_THE_SOFA: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

fn log() -> SigningKey {
    SigningKey::from_seed(SignatureType::Ed25519, "log.example", &[1; 32]).unwrap()
}

fn witness() -> SigningKey {
    SigningKey::from_seed(SignatureType::CosignatureV1, "w.example", &[2; 32]).unwrap()
}

/// Checkpoint, segments in order, and the epoch whose key signed.
type Vector = (&'static [u8], &'static [&'static [u8]], usize);

macro_rules! vector {
    ($name:literal, $epoch:literal, $($segment:literal),+) => {
        (
            include_bytes!(concat!("../../../../fixtures/vectors/", $name, "/checkpoint")),
            &[$(include_bytes!(concat!("../../../../fixtures/vectors/", $name, "/", $segment))),+],
            $epoch,
        )
    };
}

const VECTORS: [Vector; 3] = [
    vector!("healthy", 1, "2026-11-23.audit", "2026-11-24.audit"),
    vector!("healthy-small", 0, "2026-11-23.audit"),
    vector!("healthy-unsigned-tail", 1, "2026-11-23.audit", "2026-11-24.audit"),
];

#[test]
fn the_checkpoints_of_the_vectors_are_those_of_their_entries() {
    let keys: serde_json::Value =
        serde_json::from_str(include_str!("../../../../fixtures/vectors/keys.json")).unwrap();
    for (bytes, segments, epoch) in VECTORS {
        let signed = SignedCheckpoint::parse(bytes).unwrap();
        assert_eq!(signed.to_string().as_bytes(), bytes);
        for (n, vkey) in keys["vkeys"].as_array().unwrap().iter().enumerate() {
            let key = VerifierKey::parse(vkey.as_str().unwrap()).unwrap();
            assert_eq!(signed.verify(&key).is_ok(), n == epoch, "epoch {n}");
        }
        let checkpoint = signed.unverified();
        let mut tree = Frontier::new();
        let lines = segments.iter().flat_map(|segment| segment.split(|byte| *byte == b'\n'));
        for line in lines.filter(|line| !line.is_empty()) {
            if tree.size() == checkpoint.size {
                break;
            }
            tree.push(Entry::parse(line).unwrap().computed_hash());
        }
        assert_eq!((tree.size(), tree.root()), (checkpoint.size, checkpoint.root));
    }
}

#[test]
fn a_tampered_checkpoint_of_the_vectors_fails() {
    let keys: serde_json::Value =
        serde_json::from_str(include_str!("../../../../fixtures/vectors/keys.json")).unwrap();
    let edited: &[u8] =
        include_bytes!("../../../../fixtures/vectors/tampered-checkpoint-edited/checkpoint");
    let stranger: &[u8] =
        include_bytes!("../../../../fixtures/vectors/tampered-signed-by-stranger/checkpoint");
    for bytes in [edited, stranger] {
        let signed = SignedCheckpoint::parse(bytes).unwrap();
        // The third key is the stranger's, which this trail never announced.
        for vkey in &keys["vkeys"].as_array().unwrap()[..2] {
            let key = VerifierKey::parse(vkey.as_str().unwrap()).unwrap();
            assert!(matches!(signed.verify(&key), Err(CheckpointError::Verify(_))));
        }
    }
}

#[test]
fn the_example_of_c2sp() {
    let signed = SignedCheckpoint::parse(BEHIND_THE_SOFA.as_bytes()).unwrap();
    let checkpoint = signed.unverified();
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert_eq!(signed.to_string(), BEHIND_THE_SOFA);
    let cosignature = &signed.note().signatures()[1];
    assert_eq!(cosignature.bytes()[..8], 1_679_315_147u64.to_be_bytes());
    let theirs = oracle::Checkpoint::from_bytes(signed.note().text().as_bytes()).unwrap();
    assert_eq!(theirs.hash().0, checkpoint.root.0);
    assert_eq!(theirs.to_bytes(), checkpoint.to_string().into_bytes());
}

#[test]
fn a_log_signs_and_witnesses_cosign() {
    let checkpoint = Checkpoint::new("log.example", 0, empty_root());
    let mut signed = checkpoint.sign(&log()).unwrap();
    let witnesses = [witness().verifier_key().clone(), log().verifier_key().clone()];
    // The log's own signature is no cosignature.
    assert!(signed.verify_cosignatures(&witnesses).is_err());
    signed.cosign(&witness(), 17).unwrap();
    let read = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.verify(log().verifier_key()).unwrap(), &checkpoint);
    let by = read.verify_cosignatures(&witnesses).unwrap();
    assert_eq!(by, [Verified { key: &witnesses[0], timestamp: Some(17) }]);
    // The extension lines are signed too.
    let extended = Checkpoint { extensions: vec!["more".into()], ..checkpoint.clone() };
    let text = extended.to_string();
    assert_eq!(Checkpoint::parse_text(&text).unwrap(), extended);
    let note = signed.to_string().replacen("\n\n", "\nmore\n\n", 1);
    let forged = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    assert_eq!(forged.unverified(), &extended);
    assert!(forged.verify(log().verifier_key()).is_err());
    assert!(forged.verify_cosignatures(&witnesses).is_err());
}

#[test]
fn a_checkpoint_of_another_log_is_not_this_ones() {
    let other = Checkpoint::new("other.example", 3, Hash::ZERO);
    let refused = other.sign(&log()).unwrap_err();
    assert!(matches!(refused, SignCheckpointError::Checkpoint(CheckpointError::Origin { .. })));
    // Even if this log's key did sign it.
    let note = SignedNote::sign(&other.to_string(), &log()).unwrap();
    let signed = SignedCheckpoint::from_note(note).unwrap();
    assert!(matches!(signed.verify(log().verifier_key()), Err(CheckpointError::Origin { .. })));
    let error = signed.verify(witness().verifier_key());
    assert!(matches!(error, Err(CheckpointError::NotALogKey { .. })));
    // A field with a line feed would say something else.
    let mut sly = Checkpoint::new("log.example", 3, Hash::ZERO);
    for extension in ["a\nb", "", "a\n", "\n"] {
        sly.extensions = vec![extension.to_owned()];
        assert!(sly.sign(&log()).is_err(), "{extension:?}");
    }
    sly.extensions.clear();
    sly.size = MAX_STATED_SIZE + 1;
    assert!(sly.sign(&log()).is_err());
}

#[test]
fn what_is_not_a_checkpoint_is_refused_at_its_line() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let line = |text: &str| match Checkpoint::parse_text(text) {
        Err(CheckpointError::Line { line, .. }) => line,
        other => panic!("{text:?}: {other:?}"),
    };
    assert_eq!(line(""), 1);
    assert_eq!(line("\n"), 1);
    assert_eq!(line("o"), 1);
    assert_eq!(line("o\n"), 2);
    assert_eq!(line("o\n1\n"), 3);
    assert_eq!(line(&format!("o\n1\n{root}")), 3);
    assert_eq!(line(&format!("o\n1\n{root}\n\n")), 4);
    assert_eq!(line(&format!("o\n1\n{root}\na\n\nb\n")), 5);
    for size in [
        "01",
        "00",
        "+1",
        "-1",
        " 1",
        "1 ",
        "0x1",
        "1.0",
        "9223372036854775808",
        "18446744073709551616",
        "\u{661}",
    ] {
        assert_eq!(line(&format!("o\n{size}\n{root}\n")), 2, "{size}");
    }
    let short = &root[4..];
    for root in [
        "",
        short,
        &root.replace("2I=", "2J="),
        &root.replace("2I=", "2I"),
        &format!("{root}AAAA"),
        &root.replace('/', "_"),
    ] {
        assert_eq!(line(&format!("o\n1\n{root}\n")), 3, "{root}");
    }
    assert_eq!(
        Checkpoint::parse_text(&format!("o p\n9223372036854775807\n{root}\n")).unwrap().size,
        MAX_STATED_SIZE
    );
}

proptest! {
    #[test]
    fn whatever_is_signed_is_read_back(
        size in 0..=MAX_STATED_SIZE, root: [u8; 32],
        extensions in prop::collection::vec("[ -~ä]{1,20}", 0..4),
    ) {
        let checkpoint = Checkpoint { origin: "log.example".into(), size, root: Hash(root), extensions };
        let signed = checkpoint.sign(&log()).unwrap();
        let read = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read.verify(log().verifier_key()).unwrap(), &checkpoint);
        let theirs = oracle::Checkpoint::from_bytes(checkpoint.to_string().as_bytes()).unwrap();
        prop_assert_eq!((theirs.size(), theirs.hash().0), (size, root));
    }

    #[test]
    fn any_text_is_a_checkpoint_of_that_form_or_an_error(
        noise in "[ -~ä\n]{0,40}", cut in 0..90usize, at in 0..90usize,
    ) {
        let good = &BEHIND_THE_SOFA[..BEHIND_THE_SOFA.find("\n\n").unwrap() + 1];
        let mixed = format!("{}{noise}{}", &good[..cut.min(good.len())], &good[at.min(good.len())..]);
        for text in [&noise, &mixed] {
            if let Ok(checkpoint) = Checkpoint::parse_text(text) {
                prop_assert_eq!(&checkpoint.to_string(), text);
            }
            let note = format!("{text}\n\u{2014} log.example AAAAAAA=\n");
            if let Ok(signed) = SignedCheckpoint::parse(note.as_bytes()) {
                prop_assert_eq!(signed.to_string(), note);
            }
        }
    }
}
