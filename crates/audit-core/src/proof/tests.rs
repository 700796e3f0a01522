//! Proofs over the vectors: every entry proves, and nothing else does.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::tree::{Frontier, inclusion_proof};

const SEGMENTS: [&[u8]; 2] = [
    include_bytes!("../../../../fixtures/vectors/healthy/2026-11-23.audit"),
    include_bytes!("../../../../fixtures/vectors/healthy/2026-11-24.audit"),
];

/// The vector's lines, stored hashes, checkpoint and key.
struct Log {
    lines: Vec<&'static [u8]>,
    stored: Vec<Hash>,
    checkpoint: SignedCheckpoint,
    key: VerifierKey,
}

fn log() -> Log {
    let lines: Vec<&[u8]> = SEGMENTS
        .iter()
        .flat_map(|segment| segment.split(|byte| *byte == b'\n'))
        .filter(|line| !line.is_empty())
        .collect();
    let mut stored = Vec::new();
    let mut tree = Frontier::new();
    for line in &lines {
        tree.push_with(Entry::parse(line).unwrap().hash(), |hash| stored.push(hash));
    }
    let bytes = include_bytes!("../../../../fixtures/vectors/healthy/checkpoint");
    let keys: serde_json::Value =
        serde_json::from_str(include_str!("../../../../fixtures/vectors/keys.json")).unwrap();
    let key = VerifierKey::parse(keys["vkeys"][1].as_str().unwrap()).unwrap();
    Log { lines, stored, checkpoint: SignedCheckpoint::parse(bytes).unwrap(), key }
}

fn prove(log: &Log, index: u64) -> TlogProof {
    let read = |at| Ok::<_, Infallible>(log.stored[usize::try_from(at).unwrap()]);
    let hashes = inclusion_proof(index, log.checkpoint.unverified().size, read).unwrap();
    TlogProof { extra: None, index, hashes, checkpoint: log.checkpoint.clone() }
}

#[test]
fn every_entry_of_the_vectors_proves_itself_and_no_other() {
    let log = log();
    for (index, line) in (0u64..).zip(&log.lines) {
        let proof = TlogProof::parse(prove(&log, index).to_string().as_bytes()).unwrap();
        let proven = proof.verify_entry(line, &log.key).unwrap();
        assert_eq!((proven.index, proven.checkpoint.size), (index, log.lines.len() as u64));
        let with_lf = [line, b"\n".as_slice()].concat();
        assert_eq!(proof.verify_entry(&with_lf, &log.key).unwrap(), proven);
        let other = log.lines[(usize::try_from(index).unwrap() + 1) % log.lines.len()];
        let refused = proof.verify_entry(other, &log.key);
        assert!(matches!(refused, Err(ProofError::OtherEntry { .. })));
    }
}

#[test]
fn an_altered_entry_is_found_in_every_byte() {
    let log = log();
    let proof = prove(&log, 5);
    for at in 0..log.lines[5].len() {
        let mut line = log.lines[5].to_vec();
        line[at] ^= 1;
        assert!(proof.verify_entry(&line, &log.key).is_err(), "byte {at}");
    }
    // Altered and hashed again: it is an entry, but not that of the tree.
    let line = String::from_utf8(log.lines[5].to_vec()).unwrap();
    let body = line[..line.len() - 75].replacen("success", "partial", 1);
    assert_ne!(body, line[..line.len() - 75]);
    let forged = format!(r#"{body},"hash":"{}"}}"#, crate::chain::leaf_hash(body.as_bytes()));
    let refused = proof.verify_entry(forged.as_bytes(), &log.key);
    assert!(matches!(refused, Err(ProofError::Inclusion(TreeError::Root { .. }))));
    let stated = format!(r#"{body},"hash":"{}"}}"#, Hash::ZERO);
    let refused = proof.verify_entry(stated.as_bytes(), &log.key);
    assert!(matches!(refused, Err(ProofError::EntryHash { .. })));
}

#[test]
fn a_proof_with_something_else_in_it_fails() {
    let log = log();
    let (good, line) = (prove(&log, 7), log.lines[7]);
    for n in 0..good.hashes.len() {
        let mut bad = good.clone();
        bad.hashes[n].0[0] ^= 1;
        assert!(bad.verify_entry(line, &log.key).is_err());
        bad.hashes.remove(n);
        assert!(bad.verify_entry(line, &log.key).is_err());
    }
    let key = VerifierKey::new(log.key.kind(), "other.example", log.key.public_key()).unwrap();
    let refused = good.verify_entry(line, &key);
    assert!(matches!(refused, Err(ProofError::Checkpoint(CheckpointError::Origin { .. }))));
    let bad = TlogProof { index: 1_000_000, ..good.clone() };
    let leaf = Entry::parse(line).unwrap().hash();
    let refused = bad.verify_leaf(&leaf, &log.key);
    assert!(matches!(refused, Err(ProofError::Inclusion(TreeError::NoSuchLeaf { .. }))));
    // Extra data is not authenticated: it changes nothing.
    let extra = TlogProof { extra: Some(vec![1, 2, 3]), ..good };
    extra.verify_entry(line, &log.key).unwrap();
    assert!(extra.to_string().starts_with("c2sp.org/tlog-proof@v1\nextra AQID\nindex 7\n"));
}

#[test]
fn the_example_of_c2sp() {
    // Its signatures are abridged there; its hashes and lines are not.
    let text = "c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

\u{2014} example.com/fancylog hI2DJwAA
\u{2014} witness1.example mJirIklj
";
    let proof = TlogProof::parse(text.as_bytes()).unwrap();
    assert_eq!((proof.index, proof.hashes.len()), (73_894, 5));
    assert_eq!(proof.checkpoint.unverified().size, 109_482);
    assert_eq!(proof.to_string(), text);
}

#[test]
fn what_is_not_a_proof_is_refused_at_its_line() {
    let good = prove(&log(), 3).to_string();
    let line = |text: &str| match TlogProof::parse(text.as_bytes()) {
        Err(ProofError::Line { line, .. }) => line,
        other => panic!("{text:?}: {other:?}"),
    };
    assert_eq!(line(""), 1);
    assert_eq!(line(&good.replace("@v1", "@v2")), 1);
    assert_eq!(line(&good.replace("@v1\n", "@v1\r\n")), 1);
    assert_eq!(line(HEADER), 1);
    for index in [
        "index 03",
        "index",
        "index ",
        "index -1",
        "index  3",
        "Index 3",
        "index 9223372036854775808",
    ] {
        assert_eq!(line(&good.replace("index 3", index)), 2, "{index}");
    }
    assert_eq!(line(&good.replace("index", "extra A\nindex")), 2);
    assert_eq!(line(&good.replace("index", "extra AQID\nextra AQID\nindex")), 3);
    assert_eq!(line(&good.replace("index", "\nindex")), 2);
    assert_eq!(line(&good.replacen("=\n", "\n", 1)), 3);
    assert_eq!(line(&good.replacen("=\n", "= \n", 1)), 3);
    assert_eq!(line(&good.replacen("\n\n", "\n", 1)), 3 + prove(&log(), 3).hashes.len());
    let hash = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n";
    let many = |n: usize| format!("{HEADER}\nindex 0\n{}", hash.repeat(n));
    assert_eq!(line(&many(64)), 2 + 64);
    assert_eq!(line(&many(3)), 2 + 4);
    let cut = &good[..good.find("\n\n").unwrap() + 2];
    assert!(matches!(TlogProof::parse(cut.as_bytes()), Err(ProofError::Checkpoint(_))));
    let long = vec![b'a'; MAX_PROOF + 1];
    assert!(matches!(TlogProof::parse(&long), Err(ProofError::TooLong { .. })));
    assert!(TlogProof::parse(b"c2sp.org/tlog-proof@v1\n\xff\n").is_err());
}

proptest! {
    #[test]
    fn every_proof_is_read_back(
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
        index in 0..=i64::MAX as u64,
        hashes in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..=MAX_HASHES),
    ) {
        let bytes = include_bytes!("../../../../fixtures/vectors/healthy/checkpoint");
        let proof = TlogProof { extra, index, hashes, checkpoint: SignedCheckpoint::parse(bytes).unwrap() };
        prop_assert_eq!(TlogProof::parse(proof.to_string().as_bytes()).unwrap(), proof);
    }

    #[test]
    fn any_bytes_are_a_proof_of_that_form_or_an_error(
        noise in prop::collection::vec(any::<u8>(), 0..60), cut in 0..700usize, at in 0..700usize,
    ) {
        let bytes = include_bytes!("../../../../fixtures/vectors/healthy/checkpoint");
        let good = [b"c2sp.org/tlog-proof@v1\nextra AQID\nindex 7\nuT5RH6JWPyA4kF5CXKEHDxUgSL2Hry1RP0lmtdZu1nc=\n\n".as_slice(), bytes].concat();
        let mixed = [&good[..cut.min(good.len())], &noise, &good[at.min(good.len())..]].concat();
        for input in [&noise, &mixed] {
            if let Ok(proof) = TlogProof::parse(input) {
                prop_assert_eq!(&proof.to_string().into_bytes(), input);
            }
        }
    }
}
