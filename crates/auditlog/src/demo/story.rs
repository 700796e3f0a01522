//! The story, step by step.
//!
//! What must stay true here: it stays under a minute, a newcomer understands each line without
//! reading anything else first, and the last word on every claim is the trail on disk.

use std::path::Path;

use audit_core::note::VerifierKey;
use audit_logging::{AuditConfig, AuditMode};
use serde_json::json;

use super::child::{SERVICE_ID, Service};
use super::load::Load;
use super::narrator::Narrator;
use super::service::MAX_FAILURES;
use super::traffic::{self, ALICE, BOB, Tally};
use super::trail::{Overview, each};
use super::{DemoError, evidence, outside, proof};
use crate::output::escape;

/// Actions answered as durable before the service is killed.
const BEFORE_THE_KILL: usize = 60;

/// Tells it, in `dir`.
pub(super) fn tell(dir: &Path, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    let trail = dir.join("trail");
    let pinned = make(&trail, narrator)?;
    let (service, secrets) = use_it(&trail, narrator)?;
    let durable = kill_it(&trail, service, &secrets[0], narrator)?;
    let backup = dir.join("backup");
    outside::copy(&trail, &backup).map_err(DemoError::io("back the trail up"))?;
    let (service, alice, bob) = restart(&trail, &durable, narrator)?;
    stop(&trail, service, (&alice, &bob), narrator)?;
    let mut secrets = secrets;
    secrets.extend([alice, bob]);
    evidence::verify(&trail, &pinned, narrator)?;
    evidence::look(&trail, &secrets, narrator)?;
    evidence::forge(dir, &trail, &pinned, narrator)?;
    outside::remember(dir, &trail, &backup, &pinned, narrator)?;
    let proof = proof::prove_one(dir, &trail, &pinned, narrator)?;
    proof::farewell(dir, &pinned, &proof, narrator)
}

/// The trail, before there is any service.
fn make(trail: &Path, narrator: &mut Narrator<'_>) -> Result<VerifierKey, DemoError> {
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
    narrator.say(format_args!("key     {}", escape(info.initial_key.as_bytes())))?;
    narrator
        .say("The key is the public half of what signs the trail. Whoever will check the trail")?;
    narrator.say("one day notes it now, elsewhere: it is pinned, and all proof begins with it.")?;
    narrator.fact("trail", path);
    narrator.fact("origin", info.origin);
    narrator.fact("key", info.initial_key.clone());
    narrator.check(trail.join("trail.json").is_file(), "the trail is there")?;
    VerifierKey::parse(&info.initial_key).map_err(DemoError::failed("read the key"))
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
    // The last request waited for the disk, and with it everything before.
    let overview = Overview::read(trail)?;
    let own = overview.by_type.iter().filter(|(name, _)| !name.starts_with("audit."));
    let recorded: u64 = own.map(|(_, count)| count).sum();
    narrator.fact("recorded", recorded);
    narrator.check(
        recorded >= tally.total(),
        &format!("all served, and {recorded} entries in the trail say who did what"),
    )?;

    narrator.step("attack", "Then it is attacked.")?;
    let mut tally = Tally::default();
    traffic::attack(address, &bob, &mut tally)?;
    let guesses = traffic::guess(address, &mut tally)?;
    tell_tally(narrator, &tally)?;
    narrator
        .say("path traversal, a stolen token, an insider, and user names with terminal escapes,")?;
    narrator.say("right-to-left overrides and a forged log line in them")?;
    narrator.check(
        guesses <= MAX_FAILURES,
        &format!("all refused; guessing passwords ended at guess {guesses} (429)"),
    )?;
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
    narrator.say("(the machine's backup copies the disk just now; step 10 comes back to it)")?;
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
    narrator
        .say("(this was a process that died; what a power cut can cost: docs/durability.md)")?;
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

fn tell_tally(narrator: &mut Narrator<'_>, tally: &Tally) -> Result<(), DemoError> {
    let parts: Vec<String> =
        tally.0.iter().map(|(status, count)| format!("{count} × {status}")).collect();
    narrator.say(format_args!("{} HTTP requests: {}", tally.total(), parts.join(", ")))?;
    narrator.fact("requests", tally.total());
    narrator.fact("by_status", json!(tally.0));
    Ok(())
}

pub(super) fn path_of(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}
