//! Trails of the sizes at which trees, tiles and counters have their edges.

use audit_core::note::Signer;
use audit_reader::{Source, Verdict, VerifyOptions, prove, verify_dir};

use crate::common::Trail;

#[test]
fn trails_of_every_size_at_an_edge_are_verified_and_each_entry_can_be_proven() {
    let mut trail = Trail::new();
    trail.seal();
    let mut before = 0;
    let mut last = None;
    for size in [0_u64, 1, 255, 256, 257, 65_535, 65_536, 65_537] {
        if size > 0 {
            trail.write("2026-11-23.audit", size - before);
            before = size;
        }
        // The largest sizes go on from the one before: each entry is read once or twice, no more.
        let mut options =
            VerifyOptions::default().with_key(trail.key().verifier_key().clone()).with_jobs(2);
        if let Some(state) = last.take().filter(|_| size > 65_535) {
            options = options.from_state("last", state);
        }
        let report = verify_dir(trail.path(), options).unwrap();
        assert_eq!(report.verdict, Verdict::Proven, "{size}: {:?}", report.findings.kept());
        let facts = (report.entries, report.sealed_size, report.last_seq);
        assert_eq!(facts, (size, Some(size), size.checked_sub(1)));
        last = report.verified;
        assert_eq!(last.is_some(), size > 0);
        for seq in [0, 1, size / 2, size.saturating_sub(2), size.saturating_sub(1)] {
            if seq < size {
                let evidence = prove(Source::open(trail.path()).unwrap(), seq).unwrap();
                let proven = evidence.proof.verify_entry(&evidence.line, &evidence.key).unwrap();
                assert_eq!(proven.checkpoint.size, size, "seq {seq}");
            }
        }
        assert!(prove(Source::open(trail.path()).unwrap(), size).is_err());
    }
}
