//! `docs/verify_trail.py` agrees with us on what the chain shows.

use std::path::Path;
use std::process::Command;

use crate::vectors;

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
