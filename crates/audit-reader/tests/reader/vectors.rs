//! The vectors of the format page: every kind of tampering that the chain and the files beside it
//! can show is found, and honest trails give notices at most.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use audit_reader::{FindingKind, Severity, Verdict, VerifyOptions, verify_dir};

/// Found only with signatures and the Merkle root.
const NEEDS_PROOF: &[&str] = &[
    "checkpoint_missing",
    "checkpoint_malformed",
    "signature_invalid",
    "root_mismatch",
    "truncated",
    "key_rotation_invalid",
];

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors")
}

#[test]
fn every_vector_gives_what_it_must() {
    let expected = std::fs::read(vectors().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() >= 18);
    for (name, vector) in expected {
        let report = verify_dir(&vectors().join(&name), VerifyOptions::default()).unwrap();
        let found: BTreeSet<_> = report.findings.counts().keys().map(|kind| kind.name()).collect();
        let must = vector["must_include"].as_array().unwrap().iter().filter_map(|k| k.as_str());
        for kind in must.clone().filter(|kind| !NEEDS_PROOF.contains(kind)) {
            assert!(found.contains(kind), "{name}: {kind} not in {found:?}");
        }
        if name.starts_with("healthy") {
            let notice = |kind: &FindingKind| kind.severity() == Severity::Notice;
            assert!(report.findings.counts().keys().all(notice), "{name}: {found:?}");
            assert_eq!(report.verdict, Verdict::Unproven, "{name}");
        } else if must.clone().any(|kind| !NEEDS_PROOF.contains(&kind)) {
            assert_eq!(report.verdict, Verdict::Violated, "{name}");
        }
    }
}

#[test]
fn findings_point_at_the_damage() {
    let report = verify_dir(&vectors().join("tampered-edited"), VerifyOptions::default()).unwrap();
    let findings = report.findings.kept();
    let edited = findings.iter().find(|f| f.kind == FindingKind::HashMismatch).unwrap();
    let segment = edited.segment.as_deref().unwrap();
    let bytes = std::fs::read(vectors().join("tampered-edited").join(segment)).unwrap();
    let at = usize::try_from(edited.offset.unwrap()).unwrap();
    let line = bytes[at..].split(|byte| *byte == b'\n').next().unwrap();
    let entry: serde_json::Value = serde_json::from_slice(line).unwrap();
    assert_eq!(entry["seq"].as_u64(), edited.seq);
    assert_eq!(entry["hash"].as_str(), edited.found.as_deref());
}
