//! The second half of the story: what the trail is worth as evidence.
//!
//! What must stay true here: every claim is read from the files, and the limits of this release are
//! told with the same weight as its strengths.

use std::path::Path;

use audit_reader::{FindingKind, Severity, Verdict, VerifyOptions, verify_dir};
use serde_json::{Value, json};

use super::DemoError;
use super::narrator::Narrator;
use super::story::path_of;
use super::tamper::FORGERIES;
use super::traffic::{ALICE, BOB, HOSTILE_NAMES, PATHS, STOLEN};
use super::trail::each;
use crate::output::escape;
use crate::render;

/// Entries of the attack that are shown: all of them, if the service behaves.
const SHOWN: usize = 13;

/// Verifies it, and says what that means.
pub(super) fn verify(trail: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    narrator.step("verify", "Is the trail intact? `auditlog verify` reads every byte.")?;
    let report = verify_dir(trail, VerifyOptions::default())?;
    narrator.say(format_args!(
        "{} entries in {} segments, {} bytes: each hash computed, each link followed",
        report.entries, report.segments, report.bytes
    ))?;
    narrator.fact("entries", report.entries);
    narrator.fact("segments", report.segments);
    narrator.fact("verdict", json!(report.verdict));
    narrator.check(
        report.segments >= 3,
        "it was long enough for several segments, closed and summed",
    )?;
    narrator.check(!report.findings.violated(), "the chain is intact, from entry 0 to the last")?;
    narrator.check(
        report.findings.counts().contains_key(&FindingKind::Recovered),
        "the crash is noticed, and is no violation",
    )?;
    narrator.check(
        report.verdict == Verdict::Unproven,
        "the verdict is `unproven`, and that is honest:",
    )?;
    narrator.say(
        "a chain shows that nothing in it was changed, not who wrote it. Proof needs signed",
    )?;
    narrator
        .say("checkpoints, which this release does not write yet (step 9 shows what that means)")
}

/// Shows the traces of the attack.
pub(super) fn look(
    trail: &Path,
    secrets: &[String],
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step(
        "look",
        "What an investigator sees of the attack: everything, and all of it harmless.",
    )?;
    let mut shown = Vec::new();
    let mut hostile = 0_usize;
    let mut traversals = 0_usize;
    let out = &*narrator.out;
    each(trail, |entry| {
        let user = entry.actor().map(|actor| actor.user_id.decode().into_owned());
        let user = user.unwrap_or_default();
        let login = entry.event_type() == "auth.failure" && user != "alice" && user != "unknown";
        let traversal = entry.event_type() == "security.path_traversal_attempt";
        hostile += usize::from(login);
        traversals += usize::from(traversal);
        if login || traversal {
            let mut line = render::entry(out, entry);
            if traversal {
                line += &format!(" {}", escape(entry.details().unwrap_or_default().as_bytes()));
            }
            shown.push(line);
        }
    })?;
    let from = shown.len().saturating_sub(SHOWN);
    for line in &shown[from..] {
        narrator.show(line)?;
    }
    let sent = (HOSTILE_NAMES.len(), PATHS.len());
    narrator.check(
        (hostile, traversals) == sent,
        &format!("{} hostile logins and {} ways out: each is one entry, none more", sent.0, sent.1),
    )?;
    let mut bytes = Vec::new();
    each(trail, |entry| bytes.extend_from_slice(entry.line().as_bytes()))?;
    let text = String::from_utf8_lossy(&bytes);
    let known = [ALICE.1, BOB.1, STOLEN];
    let leaked =
        secrets.iter().map(String::as_str).chain(known).any(|secret| text.contains(secret));
    narrator.check(!leaked, "no password and no token is in it: tokens stand as keyed fingerprints")
}

/// Has copies forged, and verifies them.
pub(super) fn forge(
    dir: &Path,
    trail: &Path,
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step(
        "forge",
        "Somebody with access to the disk wants a failed login gone. Six tries, on copies.",
    )?;
    let parent = dir.join("forged");
    let mut rows = Vec::new();
    for forgery in &FORGERIES {
        let (_, report) = forgery.commit(trail, &parent)?;
        let counts = report.findings.counts();
        let kinds: Vec<&str> = counts
            .keys()
            .filter(|kind| kind.severity() == Severity::Violation)
            .map(|kind| kind.name())
            .collect();
        rows.push(json!({
            "name": forgery.name, "verdict": report.verdict, "findings": kinds,
            "found_out": !kinds.is_empty(),
        }));
        match forgery.betrayed_by {
            Some(kind) => narrator.check(
                report.verdict == Verdict::Violated && counts.contains_key(&kind),
                &format!("{}: found out by {}", forgery.what, kinds.join(", ")),
            )?,
            None => {
                narrator.admit(
                    report.verdict == Verdict::Unproven,
                    &format!("{}: NOT found out, still `unproven`", forgery.what),
                )?;
                narrator.say("   That is why the verdict is never just \"fine\": the files alone cannot tell.")?;
                narrator.say("   Whoever noted the last hash before, somewhere else, can; signed checkpoints")?;
                narrator.say("   will be such a note.")?;
            }
        }
    }
    narrator.fact("forgeries", Value::Array(rows));
    Ok(())
}

/// Says how to go on.
pub(super) fn farewell(trail: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    narrator.step(
        "next",
        "Do not take our word for it. From the project's directory, without our software:",
    )?;
    let path = quoted(trail);
    let program = std::env::args_os().next().unwrap_or_else(|| "auditlog".into());
    let program = quoted(Path::new(&program));
    narrator.show(format_args!("python3 docs/verify_trail.py {path}"))?;
    narrator.show(format_args!("(cd {path} && sha256sum -c *.sha256)"))?;
    narrator.say("and with it:")?;
    narrator.show(format_args!("{program} verify {path}"))?;
    narrator.show(format_args!("{program} tail {path} -n 20"))?;
    narrator.show(format_args!("{program} show {path} 0"))?;
    let forged = quoted(&trail.with_file_name("forged").join("3-deleted"));
    narrator.show(format_args!("{program} verify {forged}"))?;
    narrator.say("How to audit your own service: crates/auditlog/src/demo/service/")
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let text = path_of(path);
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
