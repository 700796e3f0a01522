//! What every parser of hostile bytes must do with any bytes: the bodies of the fuzz targets.
//!
//! What must stay true here: a target is a function of its bytes alone, and a broken promise is a
//! panic. libFuzzer (`fuzz/`) and the seeded generator ([`run`]) drive the same functions, so what one
//! finds the other reproduces.

mod mutate;
mod oracle;
mod ring;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Rng;

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them. `fuzz/fuzz_targets/<name>.rs` calls each, and a test holds the two lists together.
pub const TARGETS: &[Target] = &[
    ("entry", targets::entry),
    ("note", targets::note),
    ("checkpoint", targets::checkpoint),
    ("proof", targets::proof),
    ("tile", targets::tile),
    ("tree", targets::tree),
    ("key", targets::key),
    ("emit", targets::emit),
    ("ring", ring::ring),
];

/// Runs one target by name.
///
/// # Panics
/// When the target's promise is broken, or there is no such target.
pub fn target(name: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no fuzz target {name}")).1(bytes);
}

/// Drives a target with `rounds` inputs made from the corpus and `seed`; gives how many it took. The
/// same seed gives the same inputs, whatever the other targets do.
///
/// # Errors
/// The input that broke the promise, and how to see it again.
pub fn run((name, body): Target, rounds: u64, seed: u64) -> Result<u64, String> {
    let corpus = corpus(name);
    for round in 0..rounds {
        let mut rng = Rng::new(seed.wrapping_add(round.wrapping_mul(0x9e37_79b9)));
        let input = mutate::input(&corpus, &mut rng);
        if catch_unwind(AssertUnwindSafe(|| body(&input))).is_err() {
            return Err(format!(
                "fuzz target {name}, seed {seed}, round {round}: see above; the input is\n{}\n\
                 again: cargo xtask fuzz --seed {seed} --rounds {} --target {name}",
                input.escape_ascii(),
                round + 1
            ));
        }
    }
    Ok(rounds)
}

/// True inputs to begin with: the frozen trails, and what the parsers' own tests hold.
#[must_use]
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let vectors =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors/healthy");
    let file = |name: &str| std::fs::read(vectors.join(name)).expect("a frozen trail");
    let segment = file("2026-11-24.audit");
    let lines: Vec<Vec<u8>> = segment
        .split(|byte| *byte == b'\n')
        .filter(|l| !l.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    let text = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match name {
        "entry" => lines.into_iter().step_by(5).collect(),
        "note" => {
            let note = file("checkpoint");
            // Signature lines alone, as a witness answers.
            let at = note.windows(2).position(|pair| pair == b"\n\n").expect("a blank line");
            vec![note[at + 2..].to_vec(), note]
        }
        "checkpoint" => vec![file("checkpoint")],
        "proof" => {
            let proof = "c2sp.org/tlog-proof@v1\nextra AAEC\nindex 3\n\
                         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n";
            vec![[proof.as_bytes(), &file("checkpoint")].concat()]
        }
        "tile" => text(&[
            "tile/0/000",
            "tile/63/x001/x234/067.p/255",
            "tile/entries/x001/000",
            "tile/entries/000.p/1",
            "\0\u{3}abc\0\0\0\u{1}x",
        ]),
        "tree" => vec![(0..=255).collect(), vec![0; 96], vec![255; 96]],
        "key" => {
            let info: serde_json::Value =
                serde_json::from_slice(&file("trail.json")).expect("trail.json");
            let vkey = info["initial_key"].as_str().expect("a vkey").to_owned();
            let key = audit_core::note::SigningKey::from_seed(
                audit_core::note::SignatureType::Ed25519,
                "audit.example/a",
                &[7; 32],
            );
            let key = key.expect("a key").to_secret_line();
            text(&[&vkey, &key, "2026-11-23.audit", "2026-11-23-10.audit"])
        }
        "emit" => text(&[
            r#"{"event_type":"door.opened"}"#,
            r#"{"event_type":"a.b","actor":{"user_id":"u","ip":"::1","auth_method":"m","session_id":"s"},"resource":{"resource_type":"t","resource_id":"i","parent_id":"p"},"result":"partial","reason":"r","context":{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","request_id":"q"},"details":{"a":[1,{"b":null}],"password":"x","a":"\u001b"},"critical":true,"timestamp":"2026-11-23T06:54:00.1Z"}"#,
            r#"{"event_type":"a.b","details":{"x":"\ud800","y":1e400,"z":-0.0e-7}}"#,
        ]),
        // No edit; a bit of a record's seal; the head, with a right checksum; a short file.
        "ring" => vec![
            vec![0],
            vec![0, 0x08, 0x10, 0, 0x10, 0],
            vec![0, 1, 0, 5, 1, 9, 0, 0, 7, 0, 0, 9, 0x10, 4, 3, 0],
            b"\xffAUDRING1".to_vec(),
        ],
        other => panic!("no corpus for {other}"),
    }
}
