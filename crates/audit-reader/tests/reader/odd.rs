//! What is neither healthy nor simply tampered with: tails of any length, archives beside their segments,
//! clocks of witnesses, and a fault of our own.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_reader::FindingKind::{self, *};
use audit_reader::{
    DirSource, Freshness, LogFile, LogSource, ReadError, Report, Source, Verdict, VerifyOptions,
    verify, verify_dir,
};
use rustix::fs::{FlockOperation, flock};

use crate::common::{Trail, key};

const ONE: &str = "2026-11-23.audit";
const TWO: &str = "2026-11-24.audit";

fn pinned<'a>() -> VerifyOptions<'a> {
    VerifyOptions::default().with_key(key(0).verifier_key().clone()).with_jobs(2)
}

fn ask(trail: &Trail, options: VerifyOptions<'_>) -> Report {
    verify_dir(trail.path(), options).unwrap()
}

fn kinds(report: &Report) -> Vec<FindingKind> {
    report.findings.counts().keys().copied().collect()
}

#[test]
fn a_torn_tail_longer_than_any_entry_takes_nothing_from_what_was_signed() {
    for len in [65_609, 65_610, 200_000, 3 << 20] {
        let trail = Trail::of(20);
        // What a power cut leaves of a batch whose blocks never came.
        trail.append(ONE, &vec![0; len]);
        let report = ask(&trail, pinned());
        assert_eq!(report.verdict, Verdict::Proven, "{len}: {:?}", report.findings.kept());
        assert_eq!(kinds(&report), [InFlight, FreshnessUnknown], "{len}");
        // The next writer holds the lock before it has moved them aside.
        let lock = fs::File::create(trail.file("lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let report = ask(&trail, pinned());
        assert_eq!(kinds(&report), [InFlight, FreshnessUnknown], "{len}");
        drop(lock);
        // What ends is a line, and none of that length is an entry; and behind a digest nothing is torn.
        trail.append(ONE, b"\n");
        assert!(kinds(&ask(&trail, pinned())).contains(&MalformedEntry), "{len}");
        let bytes = fs::read(trail.file(ONE)).unwrap();
        fs::write(trail.file(ONE), &bytes[..bytes.len() - 1]).unwrap();
        trail.close(ONE);
        assert!(kinds(&ask(&trail, pinned())).contains(&MalformedEntry), "{len}");
    }
}

#[test]
fn an_archive_that_is_not_what_the_segment_beside_it_is_is_named() {
    let mut trail = Trail::of(20);
    trail.close(ONE);
    trail.write(TWO, 20);
    let archive = trail.file(&format!("{ONE}.zst"));
    let plain = fs::read(trail.file(ONE)).unwrap();
    let put = |bytes: &[u8]| {
        fs::write(&archive, bytes).unwrap();
        ask(&trail, pinned())
    };
    // What an archiver leaves that was killed before it removed the segment.
    let whole = zstd::encode_all(&*plain, 3).unwrap();
    assert_eq!(put(&whole).verdict, Verdict::Proven);
    let mut other = plain.clone();
    other[700] ^= 1;
    let shorter = &plain[..plain.len() - 1];
    let longer = [&plain[..], b"x"].concat();
    for content in [&other[..], shorter, &longer, b""] {
        let report = put(&zstd::encode_all(content, 3).unwrap());
        assert_eq!(report.verdict, Verdict::Violated);
        let finding = report.findings.kept().iter().find(|f| f.kind == SegmentChanged).unwrap();
        assert_eq!(finding.segment.as_deref(), Some("2026-11-23.audit.zst"));
        assert!(finding.found.as_ref().unwrap().starts_with("other bytes from"), "{finding:?}");
    }
    assert!(kinds(&put(&whole[..whole.len() / 2])).contains(&SegmentChanged));
}

#[test]
fn a_witness_that_names_a_time_to_come_is_told_and_bounds_nothing() {
    let witness = |name: &str, seed: u8| {
        SigningKey::from_seed(SignatureType::CosignatureV1, name, &[seed; 32]).unwrap()
    };
    let (honest, liar) = (witness("honest.example", 1), witness("liar.example", 2));
    let trail = Trail::of(20);
    let now = 1_795_000_000;
    let mut signed = trail.checkpoint();
    signed.cosign(&honest, now - 60).unwrap();
    signed.cosign(&liar, now + 10 * 365 * 86_400).unwrap();
    fs::write(trail.file("witnessed"), signed.to_string()).unwrap();
    let both = || {
        let options = pinned().with_witness(honest.verifier_key().clone()).with_now(now);
        options.with_witness(liar.verifier_key().clone())
    };
    let report = ask(&trail, both());
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    assert_eq!(kinds(&report), [CosignatureAhead]);
    let finding = &report.findings.kept()[0];
    assert!(finding.found.as_ref().unwrap().ends_with("as liar.example says"), "{finding:?}");
    let Freshness::Cosigned { time, .. } = &report.freshness else { panic!("{report:?}") };
    assert!(time.starts_with("2026-11-"), "{time}");
    // The liar alone says nothing of how fresh it is.
    let report = ask(&trail, pinned().with_witness(liar.verifier_key().clone()).with_now(now));
    assert_eq!(report.freshness, Freshness::Unknown);
    // A clock of ours that is minutes behind accuses nobody.
    let report =
        ask(&trail, pinned().with_witness(honest.verifier_key().clone()).with_now(now - 600));
    assert_eq!(kinds(&report), []);
}

/// A trail whose stored hashes cannot be read without a bug.
#[derive(Debug)]
struct Buggy(DirSource);

#[derive(Debug)]
struct Bug(u64);

impl LogFile for Bug {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0)
    }

    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
        panic!("a bug that this test makes");
    }
}

impl LogSource for Buggy {
    fn place(&self) -> std::path::PathBuf {
        self.0.place()
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        self.0.names()
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        let opened = self.0.open(name)?;
        if name != "tree.hashes" {
            return Ok(opened);
        }
        let size = opened.map_or(Ok(0), |file| file.size());
        Ok(Some(Arc::new(Bug(size.map_err(ReadError::io(self.0.path()))?))))
    }
}

#[test]
fn a_thread_that_panics_ends_the_verification() {
    let mut trail = Trail::of(2_000);
    trail.close(ONE);
    trail.write(TWO, 2_000);
    for jobs in [1, 2, 3, 8] {
        let dir = DirSource::open(trail.path()).unwrap();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let source = Source::new(Buggy(dir)).unwrap();
            let options = pinned().with_jobs(jobs).with_block(4_096);
            let outcome = catch_unwind(AssertUnwindSafe(|| verify(source, options)));
            tell.send(outcome.is_err()).unwrap();
        });
        // Whoever waits for a thread that is gone waits for ever.
        let panicked = told.recv_timeout(Duration::from_secs(60));
        assert_eq!(panicked, Ok(true), "{jobs} jobs");
    }
}
