//! The end of the story: one entry proven to an outsider, and how to check all of it without us.
//!
//! What must stay true here: what is checked is what was written to the two files, and the commands
//! that are shown work as they stand, from the project's directory.

use std::fs;
use std::path::{Path, PathBuf};

use audit_core::note::VerifierKey;
use audit_core::proof::TlogProof;
use audit_reader::{Source, VerifyOptions, prove, verify_dir};

use super::DemoError;
use super::narrator::Narrator;
use super::outside::NOTED;
use super::story::path_of;
use super::trail::each;
use crate::output::escape;

/// Proves one entry of the attack, and checks it from the two files. Returns where the proof is.
pub(super) fn prove_one(
    dir: &Path,
    trail: &Path,
    pinned: &VerifierKey,
    narrator: &mut Narrator<'_>,
) -> Result<PathBuf, DemoError> {
    narrator.step(
        "prove",
        "A court asks for one entry, and may not see the others. `auditlog prove` makes two files.",
    )?;
    let mut wanted = None;
    each(trail, |entry| {
        if entry.event_type() == "security.path_traversal_attempt" {
            wanted.get_or_insert(entry.seq());
        }
    })?;
    let seq = wanted.ok_or_else(|| DemoError::NotAsTold { what: "no attack on record".into() })?;
    let source = Source::open(trail)?;
    let evidence = prove(&source, seq).map_err(DemoError::failed("prove an entry"))?;
    let file = dir.join(format!("{seq}.tlog-proof"));
    let entry_file = dir.join(format!("{seq}.tlog-proof.entry"));
    let mut line = evidence.line;
    line.push(b'\n');
    fs::write(&entry_file, &line).map_err(DemoError::io("write the entry"))?;
    let text = evidence.proof.to_string();
    fs::write(&file, &text).map_err(DemoError::io("write the proof"))?;
    let hashes = evidence.proof.hashes.len();
    narrator.say(format_args!("entry  {}", path_of(&entry_file)))?;
    narrator.say(format_args!("proof  {}", path_of(&file)))?;
    narrator.say(format_args!(
        "       (C2SP tlog-proof, {} bytes: {hashes} hashes and the signed checkpoint)",
        text.len()
    ))?;

    let report = verify_dir(trail, VerifyOptions::default().with_key(pinned.clone()))?;
    let key = report.seal.map(|seal| seal.key.key);
    narrator.check(
        key.as_ref() == Some(&evidence.key),
        "the key that signed it is the trail's: the pinned one leads to it",
    )?;
    let (bytes, line) = (fs::read(&file), fs::read(&entry_file));
    let bytes = bytes.map_err(DemoError::io("read the proof"))?;
    let line = line.map_err(DemoError::io("read the entry"))?;
    let proof = TlogProof::parse(&bytes).map_err(DemoError::failed("read the proof"))?;
    let found = proof.verify_from(&line, pinned);
    let holds = found.as_ref().is_ok_and(|found| found.proven.index == seq);
    let (size, keys) =
        found.map(|found| (found.proven.checkpoint.size, found.rotations)).unwrap_or_default();
    narrator.check(
        holds,
        &format!(
            "checked from the two files and the pinned key alone: entry {seq} of {size}, over {keys} changes of the key"
        ),
    )?;
    let changed = String::from_utf8_lossy(&line).replacen("failure", "success", 1);
    narrator.check(
        changed.as_bytes() != line.as_slice()
            && proof.verify_from(changed.as_bytes(), pinned).is_err(),
        "with one word of the entry changed, it proves nothing",
    )?;
    narrator.fact("seq", seq);
    narrator.fact("proof", path_of(&file));
    narrator.fact("proof_key", evidence.key.to_string());
    Ok(file)
}

/// Says how to go on.
pub(super) fn farewell(
    dir: &Path,
    pinned: &VerifierKey,
    proof: &Path,
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step("next", "Do not take our word for it. From the project's directory:")?;
    let program = std::env::args_os().next().unwrap_or_else(|| "auditlog".into());
    let program = quoted(Path::new(&program));
    let seq_file = proof.file_name().unwrap_or_default().to_string_lossy().into_owned();
    narrator.show(format_args!("A={program}"))?;
    narrator.show(format_args!("D={}", quoted(dir)))?;
    narrator.show(format_args!("KEY={}", escape(pinned.to_string().as_bytes())))?;
    narrator.say("Without our software (the last two need Python's package `cryptography`):")?;
    narrator.show("(cd \"$D\"/trail && sha256sum -c *.sha256)")?;
    narrator.show("python3 docs/verify_trail.py \"$D\"/trail")?;
    narrator.show("python3 docs/verify_full.py \"$D\"/trail --key \"$KEY\"")?;
    narrator.show(format_args!("python3 docs/verify_proof.py \"$D\"/{seq_file} --key \"$KEY\""))?;
    narrator.say("With it:")?;
    narrator.show("$A verify \"$D\"/trail --key \"$KEY\"")?;
    narrator.show("$A verify \"$D\"/forged/9-signed-again --key \"$KEY\"")?;
    narrator.show(format_args!(
        "$A verify \"$D\"/forged/10-rolled-back --key \"$KEY\" --checkpoint \"$D\"/{NOTED}"
    ))?;
    narrator.show(format_args!(
        "$A verify \"$D\"/forged/11-signed-today --key \"$KEY\" --checkpoint \"$D\"/{NOTED}"
    ))?;
    narrator.show(format_args!("$A check \"$D\"/{seq_file} --key \"$KEY\""))?;
    narrator.show("$A tail \"$D\"/trail -n 20")?;
    narrator.say("How to audit your own service: crates/auditlog/src/demo/service/")
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let text = path_of(path);
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
