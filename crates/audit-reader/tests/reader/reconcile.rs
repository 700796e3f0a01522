//! Exported records held against their trail: complete sets, and everything that can be wrong with one.

use audit_core::entry::Entry;
use audit_reader::export::{Exporter, Format};
use audit_reader::{
    DirSource, QueryOptions, ReconcileError, Reconciled, Reconciler, RecordReader, trail_info,
};

use crate::common::{Random, Trail};
use crate::query::{all_lines, trail};

const FORMATS: [Format; 6] =
    [Format::Json, Format::Csv, Format::Ocsf, Format::Cef, Format::Syslog, Format::Ecs];

fn exported(trail: &Trail, format: Format) -> (Option<String>, Vec<Vec<u8>>) {
    let origin = trail_info(DirSource::open(trail.path()).unwrap()).unwrap().unwrap().origin;
    let exporter = Exporter::new(format, &origin);
    let records = all_lines(trail).into_iter().map(|line| {
        let mut out = Vec::new();
        exporter.record(&Entry::parse(line.as_bytes()).unwrap(), &mut out);
        out
    });
    (exporter.header(), records.collect())
}

fn reconciler(trail: &Trail, range: (u64, Option<u64>)) -> Result<Reconciler, ReconcileError> {
    let source = DirSource::open(trail.path()).unwrap();
    Reconciler::new(&source, range, QueryOptions::default().with_jobs(2))
}

fn reconcile(trail: &Trail, header: Option<&String>, records: &[Vec<u8>]) -> Reconciled {
    let mut reconciler = reconciler(trail, (0, None)).unwrap();
    let mut reader = RecordReader::new();
    for line in header.map(String::as_bytes).into_iter().chain(records.iter().map(Vec::as_slice)) {
        reconciler.record(&mut reader, line);
    }
    reconciler.finish()
}

#[test]
fn every_form_proves_a_set_complete_and_names_what_is_missing() {
    for seed in 0..20 {
        let random = &mut Random(seed);
        let trail = trail(random);
        for format in FORMATS {
            let (header, mut records) = exported(&trail, format);
            let count = records.len() as u64;
            let result = reconcile(&trail, header.as_ref(), &records);
            assert!(result.is_complete(), "seed {seed}: {format:?} {result:?}");
            assert_eq!((result.records, result.unreadable, result.foreign), (count, 0, 0));
            let carries = !matches!(format, Format::Csv | Format::Cef);
            assert_eq!(result.carried, if carries { count } else { 0 });
            // In any order, and some of them again.
            for _ in 0..10 {
                let (from, to) = (random.below(records.len()), random.below(records.len()));
                records.swap(from, to);
                records.push(records[from].clone());
            }
            let result = reconcile(&trail, header.as_ref(), &records);
            assert!(result.is_complete() && result.repeated == 10, "seed {seed}: {format:?}");
            // Without one of them.
            let gone = random.below(records.len());
            let gone = records[gone].clone();
            records.retain(|record| *record != gone);
            let result = reconcile(&trail, header.as_ref(), &records);
            assert!(!result.is_complete() && !result.is_contradicted());
            let (_, all) = exported(&trail, format);
            let seq = all.iter().position(|record| *record == gone).unwrap() as u64;
            assert_eq!(
                (result.missing, result.missing_ranges),
                (1, vec![(seq, seq)]),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_record_that_was_changed_is_named() {
    let trail = Trail::of(30);
    for format in FORMATS {
        let (header, mut records) = exported(&trail, format);
        let text = String::from_utf8(records[7].clone()).unwrap();
        // In the entry where it is carried, else in its hash.
        let hash = text.rfind("prev_hash").unwrap_or(0);
        let forged = match format {
            Format::Csv | Format::Cef => {
                let entry = &all_lines(&trail)[7];
                let hash = &entry[entry.len() - 66..entry.len() - 2];
                text.replace(hash, &"0".repeat(64))
            }
            _ => {
                let (before, after) = text.split_at(hash);
                format!("{}{after}", before.replace("task.submitted", "task.submittee"))
            }
        };
        assert_ne!(forged, text, "{format:?}");
        records[7] = forged.into_bytes();
        let result = reconcile(&trail, header.as_ref(), &records);
        assert_eq!(result.altered_seqs, [7], "{format:?}");
        assert!(result.is_contradicted() && result.missing_ranges == [(7, 7)]);
    }
}

#[test]
fn what_is_not_of_this_trail_is_told_apart() {
    let mut trail = Trail::of(20);
    let (header, early) = exported(&trail, Format::Csv);
    trail.write("2026-11-23.audit", 20);
    let (_, all) = exported(&trail, Format::Csv);
    let result = reconcile(&trail, header.as_ref(), &early);
    assert_eq!((result.missing, result.missing_ranges.as_slice()), (20, &[(20, 39)][..]));
    // The trail was cut after the export.
    let cut = Trail::of(20);
    let result = reconcile(&cut, header.as_ref(), &all);
    assert_eq!((result.beyond, result.beyond_seqs[0], result.missing), (20, 20, 0));
    assert!(result.is_contradicted());
    // Other trails, and lines that are none.
    let mut mixed = all.clone();
    let other = String::from_utf8(all[3].clone()).unwrap().replace("audit.example/svc/1", "other");
    mixed.push(other.into_bytes());
    mixed.extend([b"".to_vec(), b"{}".to_vec(), b"\xff,\xff".to_vec(), b"{\"seq\":1}".to_vec()]);
    let result = reconcile(&trail, header.as_ref(), &mixed);
    assert!(result.is_complete());
    assert_eq!((result.foreign, result.unreadable), (1, 4));
    // A range.
    let mut part = reconciler(&trail, (10, Some(14))).unwrap();
    let mut reader = RecordReader::new();
    part.record(&mut reader, header.unwrap().as_bytes());
    all.iter().for_each(|record| part.record(&mut reader, record));
    let result = part.finish();
    assert!(result.is_complete());
    assert_eq!((result.first_seq, result.last_seq, result.before, result.after), (10, 14, 10, 25));
    assert!(matches!(reconciler(&trail, (40, None)), Err(ReconcileError::Nothing)));
}

#[test]
fn a_damaged_trail_proves_nothing() {
    let trail = Trail::of(20);
    let mut lines = all_lines(&trail);
    lines.remove(5);
    let write = |lines: &[String]| {
        std::fs::write(trail.file("2026-11-23.audit"), lines.join("\n") + "\n").unwrap();
    };
    write(&lines);
    assert!(matches!(reconciler(&trail, (0, None)), Err(ReconcileError::Damaged(_))));
    lines.insert(5, "x".to_owned());
    write(&lines);
    assert!(matches!(reconciler(&trail, (0, None)), Err(ReconcileError::Damaged(_))));
}
