//! A witness that was given the first key follows the log through its rotations.

use audit_shipper::Outcome;

use super::*;

#[test]
fn rotations_are_followed_from_the_first_key() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write_rotating(&dir, "alice", 500);
    let state = temp.path().join("w");
    let (server, key) = witness(&state, std::slice::from_ref(&log));
    let report = sync(&dir, policy(1, &[(&*server.url, &key)]));
    assert!(report.written, "{report:?}");
    let rotated = |state: &Path| -> usize {
        let mut files = std::fs::read_dir(state).unwrap().map(|item| item.unwrap().path());
        let file = files.find(|path| path.extension().is_some_and(|e| e == "log"));
        let text = std::fs::read_to_string(file.unwrap()).unwrap();
        text.lines().filter(|line| line.starts_with("rotated ")).count()
    };
    assert!(rotated(&state) >= 2, "{}", rotated(&state));
    // It remembers them, and follows further ones.
    drop(server);
    let known = rotated(&state);
    write_rotating(&dir, "alice", 500);
    let (server, key) = witness(&state, std::slice::from_ref(&log));
    let report = sync(&dir, policy(1, &[(&*server.url, &key)]));
    assert!(report.written, "{report:?}");
    assert!(rotated(&state) > known);
    // One that trusts somebody else's key does not know the log; nor its key, by the same name.
    let other = VerifierKey::new(log.kind(), log.name(), &stranger_key()).unwrap();
    let (server, key) = witness(&temp.path().join("v"), &[other]);
    let report = sync(&dir, policy(1, &[(&*server.url, &key)]));
    assert_eq!(report.witnesses[0].outcome, Outcome::UnknownKey);
}

fn stranger_key() -> [u8; 32] {
    use audit_core::note::{SignatureType, Signer, SigningKey};
    let key = SigningKey::from_seed(SignatureType::Ed25519, "x", &[9; 32]).unwrap();
    *key.verifier_key().public_key()
}

/// Written by an independent implementation of FORMAT, without `tree.hashes`.
#[test]
fn the_vectors_are_witnessed_and_a_retired_key_is_not_heard_again() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors");
    let temp = tempfile::tempdir().unwrap();
    let info = std::fs::read(vectors.join("healthy/trail.json")).unwrap();
    let info: audit_core::meta::TrailInfo = serde_json::from_slice(&info).unwrap();
    let log = VerifierKey::parse(&info.initial_key).unwrap();
    let (server, key) = witness(&temp.path().join("w"), &[log]);
    let report = |name: &str| {
        let dir = temp.path().join(name);
        copy(&vectors.join(name), &dir);
        sync(&dir, policy(1, &[(&*server.url, &key)]))
    };
    let healthy = report("healthy");
    assert!(healthy.written, "{healthy:?}");
    for name in ["tampered-signed-by-retired-key", "tampered-signed-by-stranger"] {
        let report = report(name);
        assert_eq!(report.witnesses[0].outcome, Outcome::UnknownKey, "{name}");
        assert!(!report.written);
    }
}
