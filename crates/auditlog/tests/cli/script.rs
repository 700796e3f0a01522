//! The Python scripts in `docs/` agree with us: on the chain, on everything, and on the proof of one entry.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::{run, vector, vectors};

/// Found by the script: what breaks the chain or the strict reading of a line.
const CHAIN: &[&str] =
    &["malformed_entry", "hash_mismatch", "chain_break", "sequence_gap", "sequence_repeat"];

#[test]
fn the_script_passes_healthy_trails_and_finds_the_first_break() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3 to run docs/verify_trail.py with");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_trail.py");
    let expected = std::fs::read(vectors().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    for (name, vector) in expected {
        let output =
            Command::new("python3").arg(&script).arg(vectors().join(&name)).output().unwrap();
        let must = vector["must_include"].as_array().unwrap();
        let broken = must.iter().any(|kind| CHAIN.contains(&kind.as_str().unwrap()));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(broken)), "{name}: {text}");
        if name == "healthy" {
            let head = "479bca1eb6689e1877edb03cf2e11c622a387ad6511563a22e8bd79ea80db1cc";
            assert_eq!(text, format!("300 entries, head {head}\n"));
        }
    }
}

/// Kinds of all findings, from a report in JSON.
fn kinds(json: &[u8]) -> (String, BTreeSet<String>) {
    let report: serde_json::Value = serde_json::from_slice(json).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let kinds = findings.map(|finding| finding["kind"].as_str().unwrap().to_owned());
    (report["verdict"].as_str().unwrap().to_owned(), kinds.collect())
}

#[test]
fn the_independent_verifier_finds_what_we_find() {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_full.py needs python3 and its package `cryptography`");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_full.py");
    let keys = std::fs::read(vectors().join("keys.json")).unwrap();
    let keys: serde_json::Value = serde_json::from_slice(&keys).unwrap();
    let key = keys["vkeys"][0].as_str().unwrap();
    let expected = std::fs::read(vectors().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    let seen = vectors().join("healthy-unsigned-tail/checkpoint").display().to_string();
    for name in expected.keys() {
        let trail = vector(name);
        for more in [&["--key", key][..], &[], &["--checkpoint", &seen]] {
            let theirs = Command::new("python3").arg(&script).arg(&trail).args(more).output();
            let theirs = theirs.unwrap();
            let ours = run(&[&["verify", "--json", &trail][..], more].concat());
            let error = String::from_utf8_lossy(&theirs.stderr);
            assert_eq!(theirs.status.code(), ours.status.code(), "{name} {more:?}: {error}");
            assert_eq!(kinds(&theirs.stdout), kinds(&ours.stdout), "{name} {more:?}");
        }
    }
}

/// Our verdict and the script's, as exit codes.
fn checked(proof: &Path, key: &str) -> (Option<i32>, Option<i32>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_proof.py");
    let theirs = Command::new("python3").arg(&script).arg(proof).args(["--key", key]).output();
    let ours = run(&["check", proof.to_str().unwrap(), "--key", key]);
    (ours.status.code(), theirs.unwrap().status.code())
}

#[test]
fn the_independent_check_of_a_proof_says_what_we_say() {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_proof.py needs python3 and its package `cryptography`");
        return;
    }
    let keys = std::fs::read(vectors().join("keys.json")).unwrap();
    let keys: serde_json::Value = serde_json::from_slice(&keys).unwrap();
    let keys = keys["vkeys"].as_array().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let proof = dir.path().join("7.tlog-proof");
    let healthy = vector("healthy");
    let made = run(&["prove", &healthy, "7", "-o", proof.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut verdicts = BTreeSet::new();
    for key in keys {
        let (ours, theirs) = checked(&proof, key.as_str().unwrap());
        assert_eq!(ours, theirs, "{key}");
        verdicts.insert(ours);
    }
    assert!(verdicts.contains(&Some(0)), "one of the keys proves it: {verdicts:?}");
    // Every byte of the entry and, here and there, of the proof counts.
    let key = keys[0].as_str().unwrap();
    for file in [proof.with_extension("tlog-proof.entry"), proof.clone()] {
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 7 + 1) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            let (ours, theirs) = checked(&proof, key);
            assert_ne!((ours, theirs), (Some(0), Some(0)), "byte {at} of {}", file.display());
            assert_eq!(ours == Some(0), theirs == Some(0), "byte {at} of {}", file.display());
        }
        std::fs::write(&file, whole).unwrap();
    }
}

/// The extra data of a proof, and the proof with others in their place.
fn extra(text: &str) -> Value {
    let encoded = text.lines().nth(1).unwrap().strip_prefix("extra ").unwrap();
    serde_json::from_slice(&Base64::decode_vec(encoded).unwrap()).unwrap()
}

fn with_extra(text: &str, data: &[u8]) -> String {
    let line = format!("extra {}", Base64::encode_string(data));
    match text.lines().nth(1).unwrap() {
        old if old.starts_with("extra ") => text.replacen(old, &line, 1),
        index => text.replacen(index, &format!("{line}\n{index}"), 1),
    }
}

#[test]
fn the_independent_check_walks_a_key_history_as_we_do() {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_proof.py needs python3 and its package `cryptography`");
        return;
    }
    let keys = std::fs::read(vectors().join("keys.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let proof = dir.path().join("7.tlog-proof");
    let prove = |trail: &str| {
        let made = run(&["prove", &vector(trail), "7", "-o", proof.to_str().unwrap()]);
        assert!(made.status.success(), "{trail}: {}", String::from_utf8_lossy(&made.stderr));
        std::fs::read_to_string(&proof).unwrap()
    };
    // By the first key and by the one that signed, as exit codes.
    let both = |text: &str, expected: [i32; 2], what: &str| {
        std::fs::write(&proof, text).unwrap();
        for (epoch, expected) in expected.into_iter().enumerate() {
            let verdicts = checked(&proof, keys["vkeys"][epoch].as_str().unwrap());
            assert_eq!(verdicts, (Some(expected), Some(expected)), "{what}, key {epoch}");
        }
    };
    let honest = prove("healthy");
    let history = extra(&honest);
    both(&honest, [0, 0], "as it was made");
    both(&with_extra(&honest, b"anything"), [3, 0], "something else in `extra`");
    let step = |member: &str, value: Value| {
        let mut changed = history.clone();
        changed["key_history"][0][member] = value;
        with_extra(&honest, changed.to_string().as_bytes())
    };
    let mut hashes = history["key_history"][0]["consistency"].clone();
    both(&step("consistency", Value::Null), [3, 0], "not tied");
    both(&step("consistency", json!("text")), [3, 0], "no history");
    both(&step("consistency", json!([])), [1, 0], "no hashes");
    both(&step("consistency", json!(["AAAA"])), [1, 1], "no hash");
    hashes[0] = json!(Base64::encode_string(&[7; 32]));
    both(&step("consistency", hashes), [1, 0], "another hash");
    // The key's name and id over a signature that is not its own.
    let rotation = history["key_history"][0]["proof"].as_str().unwrap();
    let at = rotation.rfind(' ').unwrap() + 40;
    let other = if rotation.as_bytes()[at] == b'A' { "B" } else { "A" };
    let forged = format!("{}{other}{}", &rotation[..at], &rotation[at + 1..]);
    both(&step("proof", json!(forged)), [1, 0], "a forged rotation");
    // Another past, signed by who stole the current key, under the true history.
    let resealed = prove("tampered-resealed-with-current-key");
    both(&with_extra(&resealed, history.to_string().as_bytes()), [1, 0], "another past");
}

#[test]
fn the_independent_verifier_says_what_it_could_not_look_at() {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_full.py needs python3 and its package `cryptography`");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_full.py");
    let look = |trail: &Path| Command::new("python3").arg(&script).arg(trail).output().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let output = look(empty.path());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("is not an audit trail") && !error.contains("Traceback"), "{error}");

    // A torn tail behind what was signed, which a killed process leaves: both say so.
    let trail = tempfile::tempdir().unwrap();
    for item in std::fs::read_dir(vectors().join("healthy")).unwrap() {
        let item = item.unwrap();
        std::fs::copy(item.path(), trail.path().join(item.file_name())).unwrap();
    }
    let newest = trail.path().join("2026-11-24.audit");
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes.extend_from_slice(b"{\"seq\":300,\"audit");
    std::fs::write(&newest, bytes).unwrap();
    let theirs = look(trail.path());
    let ours = run(&["verify", "--json", trail.path().to_str().unwrap()]);
    assert_eq!(theirs.status.code(), Some(0), "{}", String::from_utf8_lossy(&theirs.stderr));
    assert_eq!(kinds(&theirs.stdout), kinds(&ours.stdout));
    assert!(kinds(&ours.stdout).1.contains("in_flight"));
}
