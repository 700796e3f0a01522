//! The second half of the story: what the trail is worth as evidence.
//!
//! What must stay true here: every claim is read from the files, and held against the key that was
//! noted in step 1, not against one that the files name.

use std::fs;
use std::path::Path;

use audit_core::note::VerifierKey;
use audit_reader::{FindingKind, KeyTrust, Severity, Verdict, VerifyOptions, verify_dir};
use serde_json::{Value, json};

use super::DemoError;
use super::narrator::Narrator;
use super::tamper::FORGERIES;
use super::traffic::{ALICE, BOB, HOSTILE_NAMES, PATHS, STOLEN};
use super::trail::each;
use crate::output::escape;
use crate::render;

/// Entries of the attack that are shown: all of them, if the service behaves.
const SHOWN: usize = 13;

/// Verifies it, and says what that means.
pub(super) fn verify(
    trail: &Path,
    pinned: &VerifierKey,
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step(
        "verify",
        "Is the trail what was written? `auditlog verify` reads every byte, with the pinned key.",
    )?;
    let report = verify_dir(trail, VerifyOptions::default().with_key(pinned.clone()))?;
    narrator.say(format_args!(
        "{} entries in {} segments, {} bytes: each hash computed, each link followed",
        report.entries, report.segments, report.bytes
    ))?;
    let sealed = report.sealed_size.unwrap_or_default();
    let epoch = report.seal.as_ref().and_then(|seal| seal.key.epoch).unwrap_or_default();
    narrator.fact("entries", report.entries);
    narrator.fact("segments", report.segments);
    narrator.fact("verdict", json!(report.verdict));
    narrator.fact("sealed_size", sealed);
    narrator.fact("keys_retired", epoch);
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
        sealed == report.entries && sealed > 0,
        &format!("sealed: a signed checkpoint covers all {sealed} entries"),
    )?;
    let listed = fs::read_dir(trail.join("keys")).map_err(DemoError::io("list the keys"))?;
    let left: Vec<_> = listed.flatten().map(|entry| entry.file_name()).collect();
    narrator.check(
        epoch >= 2 && left == [format!("{epoch}.key").as_str()],
        &format!(
            "{} keys have come, {epoch} have gone: each segment has its own, which vouches",
            epoch + 1
        ),
    )?;
    narrator.say(
        "   for the next one and is then destroyed; the signatures lead back to the pinned key",
    )?;
    narrator.check(
        report.verdict == Verdict::Proven && report.key_trust == KeyTrust::Pinned,
        "the verdict: `proven`",
    )
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
    pinned: &VerifierKey,
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step(
        "forge",
        "Somebody with access to the disk wants the past to be another. Nine tries, on copies.",
    )?;
    let parent = dir.join("forged");
    let mut rows = Vec::new();
    for (number, forgery) in (1..).zip(&FORGERIES) {
        let report = forgery.commit(trail, &parent, pinned)?;
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
        let betrayed = forgery.betrayed_by.iter().any(|kind| counts.contains_key(kind));
        narrator.check(
            report.verdict == Verdict::Violated && betrayed,
            &format!("#{number} {}", forgery.what),
        )?;
        narrator.show(format_args!("found out by {}", kinds.join(", ")))?;
    }
    narrator.fact("forgeries", Value::Array(rows));
    narrator
        .say("The last one is why keys are destroyed: with the key of today nobody can sign for")?;
    narrator.say("yesterday. It can still sign for today: for that, see step 10.")
}
