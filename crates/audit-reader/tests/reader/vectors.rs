//! The vectors of the format page: every kind of tampering is found by name, and honest trails are
//! proven.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use audit_core::note::VerifierKey;
use audit_reader::{FindingKind, Verdict, VerifyOptions, verify_dir};

/// The first key of the vectors, which their tests pin.
pub(crate) fn first_key() -> VerifierKey {
    let keys: serde_json::Value =
        serde_json::from_slice(&std::fs::read(vectors().join("keys.json")).unwrap()).unwrap();
    VerifierKey::parse(keys["vkeys"][0].as_str().unwrap()).unwrap()
}

pub(crate) fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors")
}

#[test]
fn every_vector_gives_what_it_must() {
    let expected = std::fs::read(vectors().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() >= 18);
    for (name, vector) in expected {
        for (pinned, jobs) in [(true, 1), (false, 1), (true, 4)] {
            let options = VerifyOptions::default().with_jobs(jobs);
            let options = if pinned { options.with_key(first_key()) } else { options };
            let report = verify_dir(&vectors().join(&name), options).unwrap();
            let found: BTreeSet<_> =
                report.findings.counts().keys().map(|kind| kind.name()).collect();
            let mut must = vector["must_include"].as_array().unwrap().iter();
            assert!(must.all(|kind| found.contains(kind.as_str().unwrap())), "{name}: {found:?}");
            let healthy = name.starts_with("healthy");
            let expected = if healthy { Verdict::Proven } else { Verdict::Violated };
            assert_eq!(report.verdict, expected, "{name}: {:?}", report.findings.kept());
            assert_eq!(
                found.contains("self_asserted_key"),
                !pinned && report.key.is_some() && name != "tampered-seal-stripped",
                "{name}"
            );
            assert_eq!(report.seal.is_some(), report.root.is_some());
        }
    }
}

#[test]
fn a_healthy_vector_is_proven_up_to_its_checkpoint() {
    let verify = |name: &str| {
        verify_dir(&vectors().join(name), VerifyOptions::default().with_key(first_key())).unwrap()
    };
    let report = verify("healthy-unsigned-tail");
    assert_eq!((report.sealed_size, report.unsigned_tail), (Some(290), Some(10)));
    let kinds: Vec<_> = report.findings.kept().iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [FindingKind::UnsignedTail, FindingKind::FreshnessUnknown]);
    let report = verify("healthy");
    assert_eq!((report.sealed_size, report.unsigned_tail), (Some(300), Some(0)));
    assert_eq!(report.root.as_deref(), Some("uT5RH6JWPyA4kF5CXKEHDxUgSL2Hry1RP0lmtdZu1nc="));
    assert_eq!(report.seal.unwrap().key.epoch, Some(1));
    assert_eq!(report.key, Some(first_key().to_string()));
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
