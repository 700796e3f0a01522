//! What the files alone cannot show: an old state, or today signed twice. Somebody else must remember.
//!
//! What must stay true here: the old state is a real one, copied while the story went on, and the
//! witness is the real one, asked over HTTP. That the files alone say `proven` is said as well.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use audit_collector::serve::{Limits, serve};
use audit_collector::{Witness, WitnessConfig, witness};
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::VerifierKey;
use audit_reader::{FindingKind, Freshness, Report, Verdict, VerifyOptions, verify_dir};
use audit_shipper::{Outcome, Policy, SyncOptions, SyncReport, WitnessSync};
use serde_json::json;
use tokio::sync::oneshot;

use super::DemoError;
use super::narrator::Narrator;
use super::tamper::SIGNED_TODAY;
use crate::output::escape;

/// The copy of the checkpoint that was kept elsewhere.
pub(super) const NOTED: &str = "noted.checkpoint";

/// A copy of all of a trail, keys included, as a backup of the disk has it.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Rolls the trail back and forks it, and has both found out by those who remember.
pub(super) fn remember(
    dir: &Path,
    trail: &Path,
    backup: &Path,
    pinned: &VerifierKey,
    narrator: &mut Narrator<'_>,
) -> Result<(), DemoError> {
    narrator.step(
        "remember",
        "Two forgeries that no file gives away. Against them somebody else must remember.",
    )?;
    narrator
        .say("Before they are made, two who are out of the forger's reach see the true trail:")?;
    let noted = dir.join(NOTED);
    fs::copy(trail.join("checkpoint"), &noted).map_err(DemoError::io("note the checkpoint"))?;
    let noted = fs::read(noted).map_err(DemoError::io("read the noted checkpoint"))?;
    let noted =
        SignedCheckpoint::parse(&noted).map_err(DemoError::failed("read the checkpoint"))?;
    let size = noted.unverified().size;
    narrator
        .say(format_args!("an auditor notes its checkpoint, five lines, at {size} entries, and"))?;
    let witness = Loopback::start(&dir.join("witness"), pinned)?;
    narrator.say(format_args!(
        "a witness, a server elsewhere (here http://{}), is asked to cosign it",
        witness.address
    ))?;
    let report = witness.ask(trail)?;
    narrator.check(
        report.satisfied && report.size == size,
        "the witness cosigned it: the pinned key led it through every change of keys",
    )?;
    let options = options(pinned).with_witness(witness.key.clone());
    let fresh = verify_dir(trail, options)?;
    let Freshness::Cosigned { time, .. } = &fresh.freshness else {
        return narrator.check(false, "with the witness's key, verify also says how fresh it is");
    };
    narrator.check(
        fresh.verdict == Verdict::Proven,
        &format!(
            "with the witness's key, verify also says how fresh it is: {}",
            escape(time.as_bytes())
        ),
    )?;

    let story = Story { noted: &noted, witness: &witness, pinned };
    let rolled_back = dir.join("forged").join("10-rolled-back");
    copy(backup, &rolled_back).map_err(DemoError::io("restore the backup"))?;
    let rolled_back = story.judge(
        "#10 the backup of step 4 put back, key and all: every entry true, the evening gone",
        FindingKind::Rollback,
        &rolled_back,
        narrator,
    )?;

    let forged = SIGNED_TODAY.make(trail, &dir.join("forged"))?;
    let forked = story.judge(
        "#11 an entry of this evening blamed on alice, all signed anew with the stolen key",
        FindingKind::Fork,
        &forged,
        narrator,
    )?;
    narrator.fact("witnessed_size", size);
    narrator.fact("rolled_back", rolled_back);
    narrator.fact("forked", forked);
    narrator.say("So: let a witness on another machine see every checkpoint (docs/operations.md).")
}

fn options(pinned: &VerifierKey) -> VerifyOptions<'static> {
    VerifyOptions::default().with_key(pinned.clone())
}

/// Those who remember.
struct Story<'a> {
    noted: &'a SignedCheckpoint,
    witness: &'a Loopback,
    pinned: &'a VerifierKey,
}

impl Story<'_> {
    /// Alone the copy looks well; held against what was seen before it does not.
    fn judge(
        &self,
        what: &str,
        kind: FindingKind,
        copy: &Path,
        narrator: &mut Narrator<'_>,
    ) -> Result<serde_json::Value, DemoError> {
        let alone = verify_dir(copy, options(self.pinned))?;
        narrator.admit(alone.verdict == Verdict::Proven, what)?;
        narrator.say("    asked alone, the files say: `proven`")?;
        let with = options(self.pinned).with_reference("the noted one", self.noted.clone());
        let held = verify_dir(copy, with)?;
        narrator.check(
            is_found_out(&held, kind),
            &format!("found out by the noted checkpoint: {}", kind.name()),
        )?;
        let report = self.witness.ask(copy)?;
        let answer = report.witnesses.first().map(|by| &by.outcome);
        let told = match (kind, answer) {
            (FindingKind::Rollback, Some(Outcome::Rollback { seen, evidence }))
            | (FindingKind::Fork, Some(Outcome::Fork { seen, evidence })) => {
                let signed = evidence.as_ref().is_some_and(|evidence| evidence.signed_by_log);
                Some((*seen, signed))
            }
            _ => None,
        };
        let (seen, signed) = told.unwrap_or_default();
        let whose = if signed { ", signed by this very trail's key" } else { "" };
        let seen = match kind {
            FindingKind::Rollback => format!("it has cosigned {seen} entries already"),
            _ => format!("it has cosigned other {seen} entries{whose}"),
        };
        narrator.check(
            told.is_some() && report.has_finding(),
            &format!("found out by the witness: {}, for {seen}", kind.name()),
        )?;
        Ok(json!({
            "alone": alone.verdict, "noted": kind.name(), "witness": answer,
            "entries": alone.entries,
        }))
    }
}

fn is_found_out(report: &Report, kind: FindingKind) -> bool {
    report.verdict == Verdict::Violated && report.findings.counts().contains_key(&kind)
}

/// A witness of this process, on a free port. It stops when this is dropped.
struct Loopback {
    address: SocketAddr,
    key: VerifierKey,
    policy: Policy,
    _runtime: tokio::runtime::Runtime,
    _stop: oneshot::Sender<()>,
}

impl Loopback {
    fn start(state: &Path, log: &VerifierKey) -> Result<Loopback, DemoError> {
        let name = Some("witness.example/demo".to_owned());
        let config = WitnessConfig { state: state.to_owned(), name, logs: vec![log.clone()] };
        let open = Witness::open(config).map_err(DemoError::failed("open the witness"))?;
        let key = open.key().clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(DemoError::io("start the runtime"))?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.map_err(DemoError::io("listen on 127.0.0.1"))?;
        let address = listener.local_addr().map_err(DemoError::io("listen on 127.0.0.1"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = witness::router(Arc::new(open));
        runtime.spawn(serve(listener, router, Limits::default(), async move {
            // The sender never sends: its end is what is waited for.
            drop(stopped.await);
        }));
        let policy = format!("witness w1 {key} http://{address}\nquorum w1\n");
        let policy = Policy::parse(policy.as_bytes());
        let policy = policy.map_err(DemoError::failed("read the witness policy"))?;
        Ok(Loopback { address, key, policy, _runtime: runtime, _stop: stop })
    }

    /// Submits a trail's checkpoint, as `auditlog witness-sync` does.
    fn ask(&self, trail: &Path) -> Result<SyncReport, DemoError> {
        let mut sync = WitnessSync::new(trail, self.policy.clone(), &SyncOptions::default());
        sync.sync().map_err(DemoError::failed("ask the witness"))
    }
}
