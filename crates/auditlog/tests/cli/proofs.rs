//! Proofs on disk: what `prove` writes `check` accepts, and nothing else.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{run, stdout, vector};

fn vkey(epoch: usize) -> String {
    let keys = fs::read(Path::new(&vector("healthy")).join("../keys.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    keys["vkeys"][epoch].as_str().unwrap().to_owned()
}

#[test]
fn an_entry_is_proven_offline_from_two_files_and_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let proof = dir.path().join("p.tlog-proof").display().to_string();
    let check = |key: &str| run(&["check", &proof, "--key", key]).status.code();
    for seq in ["0", "199", "200", "201", "255", "256", "299"] {
        let output = run(&["prove", &vector("healthy"), seq, "-o", &proof, "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["key"], vkey(1));
        assert_eq!((said["size"].as_u64(), check(&vkey(1))), (Some(300), Some(0)));
        assert_eq!(said["from_key"], vkey(0));
        let from = stdout(&run(&["check", &proof, "--key", &vkey(0), "--json"]));
        let from: Value = serde_json::from_str(&from).unwrap();
        assert_eq!((&from["verdict"], &from["rotations"]), (&"proven".into(), &1.into()), "{from}");
        let text = fs::read_to_string(&proof).unwrap();
        let bare = text.split_inclusive('\n').filter(|line| !line.starts_with("extra "));
        fs::write(&proof, bare.collect::<String>()).unwrap();
        assert_eq!(check(&vkey(0)), Some(3), "the key of another epoch, and nothing leads from it");
        assert_eq!(check(&vkey(1)), Some(0));
        fs::write(&proof, text).unwrap();
        let entry = fs::read_to_string(format!("{proof}.entry")).unwrap();
        assert_eq!(entry, stdout(&run(&["show", "--json", &vector("healthy"), seq])));
        for changed in [entry.replace("result", "resalt"), entry.replace("\"seq\":", "\"seq\":1")] {
            fs::write(format!("{proof}.entry"), changed).unwrap();
            assert_eq!(check(&vkey(1)), Some(1));
        }
        fs::write(format!("{proof}.entry"), &entry).unwrap();
        let text = fs::read_to_string(&proof).unwrap();
        for changed in [
            text.replace("index ", "index 1"),
            text.replace('\n', "\n\n"),
            text.replace("300", "301"),
        ] {
            fs::write(&proof, changed).unwrap();
            assert_eq!(check(&vkey(1)), Some(1));
        }
    }
}

#[test]
fn what_is_not_signed_or_not_there_is_not_proven() {
    let dir = tempfile::tempdir().unwrap();
    let proof = dir.path().join("p").display().to_string();
    let prove =
        |trail: &str, seq: &str| run(&["prove", &vector(trail), seq, "-o", &proof]).status.code();
    assert_eq!(prove("healthy-unsigned-tail", "289"), Some(0));
    fs::remove_file(&proof).unwrap();
    assert_eq!(prove("healthy-unsigned-tail", "290"), Some(2));
    assert_eq!(prove("healthy", "300"), Some(2));
    assert_eq!(prove("tampered-seal-stripped", "5"), Some(2));
    assert_eq!(prove("tampered-rewritten-without-key", "5"), Some(2));
    assert_eq!(prove("tampered-signed-by-stranger", "5"), Some(2));
    assert!(!Path::new(&proof).exists());
}

#[test]
fn stored_hashes_are_a_shortcut_and_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["trail.json", "checkpoint", "2026-11-23.audit", "2026-11-24.audit"] {
        fs::copy(Path::new(&vector("healthy")).join(file), dir.path().join(file)).unwrap();
    }
    let (trail, proof) =
        (dir.path().display().to_string(), dir.path().join("p").display().to_string());
    for hashes in [vec![], vec![7; 100], vec![7; 100_000]] {
        fs::write(dir.path().join("tree.hashes"), hashes).unwrap();
        assert_eq!(run(&["prove", &trail, "123", "-o", &proof]).status.code(), Some(0));
        assert_eq!(run(&["check", &proof, "--key", &vkey(1)]).status.code(), Some(0));
    }
}

#[test]
fn one_checkpoint_extends_another_or_does_not() {
    let checkpoint = |name: &str| Path::new(&vector(name)).join("checkpoint").display().to_string();
    let consistency = |old: &str, new: &str, more: &[&str]| {
        let args = ["consistency", &checkpoint(old), &checkpoint(new), &vector("healthy")];
        run(&[&args[..], more].concat()).status.code()
    };
    assert_eq!(consistency("healthy-unsigned-tail", "healthy", &[]), Some(0));
    assert_eq!(consistency("healthy-unsigned-tail", "healthy", &["--key", &vkey(1)]), Some(0));
    assert_eq!(consistency("healthy-unsigned-tail", "healthy", &["--key", &vkey(0)]), Some(1));
    assert_eq!(consistency("healthy", "healthy-unsigned-tail", &[]), Some(1));
    assert_eq!(consistency("healthy-small", "healthy", &[]), Some(0));
    assert_eq!(consistency("healthy", "tampered-resealed-with-current-key", &[]), Some(1));
}
