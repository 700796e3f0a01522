//! The story, step by step.
//!
//! What must stay true here: it stays under a minute, a newcomer understands each line without
//! reading anything else first, and the last word on every claim is the trail on disk.

use std::path::Path;

use audit_logging::{AuditConfig, AuditMode};
use audit_reader::{FindingKind, Verdict, VerifyOptions, verify_dir};
use serde_json::{Value, json};

use super::DemoError;
use super::child::{SERVICE_ID, Service};
use super::load::Load;
use super::narrator::Narrator;
use super::tamper::FORGERIES;
use super::traffic::{self, ALICE, BOB, HOSTILE_NAMES, PATHS, STOLEN, Tally};
use super::trail::{Overview, each};
use crate::output::escape;
use crate::render;

/// Actions answered as durable before the service is killed.
const BEFORE_THE_KILL: usize = 60;
/// Entries of the attack that are shown.
const SHOWN: usize = 12;

/// Tells it, in `dir`.
pub(super) fn tell(dir: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    let trail = dir.join("trail");
    make(&trail, narrator)?;
    let (service, secrets) = use_it(&trail, narrator)?;
    let durable = kill_it(&trail, service, &secrets[0], narrator)?;
    let (service, alice, bob) = restart(&trail, &durable, narrator)?;
    stop(&trail, service, (&alice, &bob), narrator)?;
    let mut secrets = secrets;
    secrets.extend([alice, bob]);
    verify(&trail, narrator)?;
    look(&trail, &secrets, narrator)?;
    forge(dir, &trail, narrator)?;
    farewell(&trail, narrator)
}

fn make(trail: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    narrator.step(
        "create",
        "A service gets an audit trail: a directory, one line of JSON per event.",
    )?;
    let info = audit_logging::create_trail(AuditConfig {
        mode: AuditMode::Local { base_dir: trail.to_owned() },
        ..AuditConfig::new(SERVICE_ID)
    })?;
    let path = path_of(trail);
    narrator.say(format_args!("trail   {path}"))?;
    narrator.say(format_args!("origin  {}", escape(info.origin.as_bytes())))?;
    narrator.fact("trail", path);
    narrator.fact("origin", info.origin);
    narrator.check(trail.join("trail.json").is_file(), "the trail is there")
}

/// Starts the service and has it used and attacked. Gives the secrets that went over the wire.
fn use_it(trail: &Path, narrator: &mut Narrator<'_>) -> Result<(Service, Vec<String>), DemoError> {
    narrator.step("use", "A web service runs, as a process of its own, and people use it.")?;
    let service = Service::start(trail)?;
    let address = service.address;
    narrator.say(format_args!(
        "process {} on http://{address}, auditing every request",
        service.pid()
    ))?;
    let mut tally = Tally::default();
    let alice = traffic::login(address, ALICE, &mut tally)?;
    let bob = traffic::login(address, BOB, &mut tally)?;
    traffic::everyday(address, &alice, &bob, 60, &mut tally)?;
    tell_tally(narrator, &tally)?;
    narrator.check(true, "logins, files, invoices, permissions, a deletion: all served")?;

    narrator.step("attack", "Then it is attacked.")?;
    let mut tally = Tally::default();
    traffic::attack(address, &bob, &mut tally)?;
    let guesses = traffic::guess(address, &mut tally)?;
    tell_tally(narrator, &tally)?;
    narrator
        .say("path traversal, a stolen token, an insider, and user names with terminal escapes,")?;
    narrator.say("right-to-left overrides and a forged log line in them")?;
    narrator
        .check(true, &format!("all refused; guessing passwords ended at guess {guesses} (429)"))?;
    Ok((service, vec![alice, bob]))
}

fn kill_it(
    trail: &Path,
    service: Service,
    alice: &str,
    narrator: &mut Narrator<'_>,
) -> Result<Vec<String>, DemoError> {
    narrator.step("kill", "The process is killed (SIGKILL) in the middle of its work.")?;
    narrator.say(
        "four clients have customers deleted; each answer waits until its record is on disk",
    )?;
    let mut load = Load::start(service.address, alice)?;
    load.wait_for(BEFORE_THE_KILL)?;
    let status = service.kill()?;
    let outcome = load.end()?;
    narrator.say(format_args!("the process ended with: {status}"))?;
    let (durable, open) = (outcome.durable.len(), outcome.unanswered);
    narrator
        .say(format_args!("{durable} deletions had been answered, {open} requests never were"))?;
    narrator.fact("answered_durable", durable);
    narrator.fact("unanswered", open);
    narrator.check(!status.success() && open > 0, "it died while requests were being served")?;
    let overview = Overview::read(trail)?;
    let (opened, closed) = (overview.count("audit.opened"), overview.count("audit.closed"));
    narrator.check(opened == closed + 1, "the trail has no goodbye: opened, never closed")?;
    Ok(outcome.durable)
}

fn restart(
    trail: &Path,
    durable: &[String],
    narrator: &mut Narrator<'_>,
) -> Result<(Service, String, String), DemoError> {
    narrator.step("recover", "The service is started again, on the same trail.")?;
    let before = Overview::read(trail)?;
    let service = Service::start(trail)?;
    let after = Overview::read(trail)?;
    let mut control = Vec::new();
    each(trail, |entry| {
        if entry.seq() >= before.entries && entry.event_type().starts_with("audit.") {
            let details = escape(entry.details().unwrap_or_default().as_bytes());
            control.push((entry.seq(), entry.event_type().to_owned(), details));
        }
    })?;
    for (seq, event_type, details) in &control {
        narrator.show(format_args!("{seq:>6} {event_type:<16} {details}"))?;
    }
    let has = |wanted| control.iter().any(|(_, event_type, _)| event_type == wanted);
    narrator.check(
        has("audit.recovered") && has("audit.opened"),
        "the crash is on record: audit.recovered, then audit.opened, in the same chain",
    )?;
    let lost = durable.iter().filter(|id| !after.ids.contains(*id)).count();
    narrator.fact("lost", lost);
    narrator.check(
        lost == 0 && !durable.is_empty(),
        &format!("all {} deletions answered before the kill are in the trail", durable.len()),
    )?;
    let mut tally = Tally::default();
    let alice = traffic::login(service.address, ALICE, &mut tally)?;
    let bob = traffic::login(service.address, BOB, &mut tally)?;
    Ok((service, alice, bob))
}

fn stop(
    trail: &Path,
    service: Service,
    (alice, bob): (&str, &str),
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step(
        "stop",
        "Work goes on, and in the evening the service is stopped properly (SIGTERM).",
    )?;
    let mut tally = Tally::default();
    traffic::everyday(service.address, alice, bob, 20, &mut tally)?;
    tell_tally(narrator, &tally)?;
    let status = service.terminate()?;
    narrator.check(status.success(), "it answered what it had begun, and ended by itself")?;
    let mut last = String::new();
    each(trail, |entry| entry.event_type().clone_into(&mut last))?;
    narrator.check(last == "audit.closed", "the last entry is audit.closed")
}

fn verify(trail: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
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

fn look(trail: &Path, secrets: &[String], narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
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

fn forge(dir: &Path, trail: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
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
            .filter(|kind| kind.severity() == audit_reader::Severity::Violation)
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
                narrator.check(
                    report.verdict == Verdict::Unproven,
                    &format!("{}: NOT found out, still `unproven`", forgery.what),
                )?;
                narrator.say("   this is why the verdict is not `proven`: whoever holds a later hash from before")?;
                narrator.say("   (a note of it, a signed checkpoint) sees that it changed; the files alone do not tell")?;
            }
        }
    }
    narrator.fact("forgeries", Value::Array(rows));
    Ok(())
}

fn farewell(trail: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    narrator.step("next", "Do not take our word for it. Without our software:")?;
    let path = path_of(trail);
    narrator.show(format_args!("python3 docs/verify_trail.py {path}"))?;
    narrator.show(format_args!("cd {path} && sha256sum -c *.sha256"))?;
    narrator.say("and with it:")?;
    narrator.show(format_args!("auditlog verify {path}"))?;
    narrator.show(format_args!("auditlog tail {path} -n 20"))?;
    narrator.show(format_args!("auditlog show {path} 0"))?;
    let forged = path_of(&trail.with_file_name("forged"));
    narrator.show(format_args!("auditlog verify {forged}/3-deleted"))?;
    narrator.say("The service is crates/auditlog/src/demo/service/: how to audit yours.")
}

fn tell_tally(narrator: &mut Narrator<'_>, tally: &Tally) -> Result<(), DemoError> {
    let parts: Vec<String> =
        tally.0.iter().map(|(status, count)| format!("{count} × {status}")).collect();
    narrator.say(format_args!("{} HTTP requests: {}", tally.total(), parts.join(", ")))?;
    narrator.fact("requests", tally.total());
    narrator.fact("by_status", json!(tally.0));
    Ok(())
}

fn path_of(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}
