//! What `index/` says of deleted entries goes with them.

use std::fs;

use audit_reader::DirSource;
use audit_reader::index::{IndexOptions, index};
use audit_testkit::TestClock;

use crate::common::*;

#[test]
fn the_index_of_a_deleted_segment_goes_with_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 34);
    index(DirSource::open(&dir).unwrap(), IndexOptions::default()).unwrap();
    let in_index = |suffix: &str| ending(&dir.join("index"), suffix);
    let before = in_index(".parquet");
    // Where it cannot go, nothing goes, and the trail does not say so.
    let held = dir.join("index").join(format!("{}x", before[0]));
    fs::rename(dir.join("index").join(&before[0]), &held).unwrap();
    fs::create_dir(dir.join("index").join(&before[0])).unwrap();
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    assert!(report.problems.iter().any(|problem| problem.contains(&before[0])), "{report:?}");
    assert!(applied(&dir).is_null());
    fs::remove_dir(dir.join("index").join(&before[0])).unwrap();
    fs::rename(&held, dir.join("index").join(&before[0])).unwrap();
    // Of somebody who was ended while an index was made.
    for suffix in ["parquet.new", "json.new"] {
        fs::write(dir.join("index").join(format!("2026-01-01.audit.{suffix}")), "half").unwrap();
    }
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.is_empty() && report.deleted.len() > 2, "{report:?}");
    for gone in &report.deleted {
        for suffix in ["parquet", "json", "parquet.new", "json.new"] {
            assert!(!dir.join("index").join(format!("{}.{suffix}", gone.filename)).exists());
        }
    }
    assert_eq!(in_index(".parquet").len(), before.len() - report.deleted.len());
    assert_eq!(in_index(".json").len(), in_index(".parquet").len());
    // What was left by a crash of one that went earlier goes with the next run.
    let stray = dir.join("index").join("2026-01-01.audit.parquet");
    fs::write(&stray, "of entries that are gone").unwrap();
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.is_empty() && report.deleted.is_empty(), "{report:?}");
    assert!(!stray.exists());
    logger.shutdown_blocking().unwrap();
    assert_proven(&dir, front_key(&applied(&dir)), "without its front and its index");
}
