//! An index beside retention, with one group damaged, and with a binding that somebody made up.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_reader::index::{IndexOptions, index};
use audit_reader::{DirSource, LogFile, LogSource, Order, Query, ReadError, Source};

use crate::common::Trail;
use crate::query::found;

const SEGMENT: &str = "2026-11-20.audit";

/// A segment of two times two thousand entries, the first of the 1st and the others of the 20th, and an
/// open one.
fn two_days() -> Trail {
    let mut trail = Trail::new();
    let mut lines = Vec::new();
    let filler = "x".repeat(400);
    for n in 0..4_000 {
        let (day, who) =
            (if n < 2_000 { 1 } else { 20 }, if n % 50 == 7 { "mallory" } else { "alice" });
        let members = format!(
            r#""timestamp":"2026-11-{day:02}T06:54:00.000000000Z","service_id":"svc","event_type":"data.read","actor":{{"user_id":"{who}"}},"result":"success","details":{{"n":{n},"filler":"{filler}"}}"#
        );
        trail.members(&mut lines, &members);
    }
    trail.append(SEGMENT, &lines);
    trail.close(SEGMENT);
    trail.write("2026-11-23.audit", 1);
    let rows = NonZeroUsize::new(2_000).unwrap();
    let options = IndexOptions::default().with_group_rows(rows);
    assert_eq!(index(DirSource::open(trail.path()).unwrap(), options).unwrap().built, 1);
    trail
}

#[test]
fn entries_are_counted_once_where_a_part_of_an_index_is_damaged() {
    let trail = two_days();
    let table = trail.file("index").join(format!("{SEGMENT}.parquet"));
    let mut bytes = fs::read(&table).unwrap();
    // In the second group.
    let at = bytes.len() * 3 / 4;
    bytes[at] ^= 1;
    fs::write(&table, bytes).unwrap();
    let query = Query::new().actor("mallory").since("2026-11-10T00:00:00Z".parse().unwrap());
    let (expected, plain) = found(&trail, &query.clone().index(false), 1);
    assert_eq!((expected.len(), plain.entries), (40, 4_001));
    for round in 0..20 {
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let (answer, searched) = found(&trail, &query.clone().order(order), 1 + round % 4);
            assert_eq!((answer.len(), searched.entries), (40, plain.entries), "{order:?} {round}");
            assert_eq!(searched.indexes_unusable, 1);
        }
    }
}

#[test]
fn a_binding_whose_groups_are_no_parts_of_the_segment_is_not_believed() {
    let trail = two_days();
    let path = trail.file("index").join(format!("{SEGMENT}.json"));
    let text = fs::read_to_string(&path).unwrap();
    let (json, _) = text.split_once('\n').unwrap();
    let binding: serde_json::Value = serde_json::from_str(json).unwrap();
    let query = Query::new().actor("mallory");
    let (expected, plain) = found(&trail, &query.clone().index(false), 1);
    let bytes = binding["bytes"].as_u64().unwrap();
    let second = binding["groups"][1]["offset"].as_u64().unwrap();
    for (offsets, entries) in [
        ([second, 0], 2_000),
        ([0, 0], 2_000),
        ([1, second], 2_000),
        ([0, bytes], 2_000),
        ([0, u64::MAX], 2_000),
        ([0, second], u64::MAX),
        ([0, second], 0),
    ] {
        let mut forged = binding.clone();
        for (group, offset) in offsets.into_iter().enumerate() {
            forged["groups"][group]["offset"] = offset.into();
        }
        forged["groups"][1]["entries"] = entries.into();
        let json = forged.to_string();
        fs::write(&path, format!("{json}\n{:08x}\n", crc32c::crc32c(json.as_bytes()))).unwrap();
        let (answer, searched) = found(&trail, &query, 2);
        assert_eq!(answer, expected, "{offsets:?}");
        assert_eq!((searched.entries, searched.indexes_unusable), (plain.entries, 1));
    }
    fs::write(&path, text).unwrap();
    assert_eq!(found(&trail, &query, 2).1.indexes_unusable, 0);
}

/// A trail whose retention is about to delete a segment: what is begun of its index is removed as soon as
/// the segment is read.
#[derive(Debug)]
struct Doomed(DirSource);

#[derive(Debug)]
struct DoomedFile {
    file: Arc<dyn LogFile>,
    begun: PathBuf,
}

impl LogSource for Doomed {
    fn place(&self) -> PathBuf {
        self.0.place()
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        self.0.names()
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        let begun = self.place().join("index").join(format!("{SEGMENT}.parquet.new"));
        let file = self.0.open(name)?;
        Ok(match file {
            Some(file) if name == SEGMENT => Some(Arc::new(DoomedFile { file, begun })),
            file => file,
        })
    }

    fn directory(&self) -> Option<&Path> {
        self.0.directory()
    }
}

impl LogFile for DoomedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        drop(fs::remove_file(&self.begun));
        self.file.read_at(buffer, offset)
    }
}

#[test]
fn indexing_goes_on_when_retention_is_about_to_delete_a_segment() {
    let mut trail = two_days();
    trail.close("2026-11-23.audit");
    trail.write("2026-11-24.audit", 1);
    let source = Source::new(Doomed(DirSource::open(trail.path()).unwrap())).unwrap();
    let made = index(&source, IndexOptions::default().rebuild(true)).unwrap();
    assert_eq!((made.built, made.open, made.refused.len()), (1, 1, 0), "{made:?}");
    // Nothing of the doomed one is left, and the next run makes it again.
    let there = |name: &str| trail.file("index").join(name).exists();
    assert!(!there(&format!("{SEGMENT}.parquet")) && !there(&format!("{SEGMENT}.json")));
    assert!(there("2026-11-23.audit.parquet"));
    let made = index(DirSource::open(trail.path()).unwrap(), IndexOptions::default()).unwrap();
    assert_eq!((made.built, made.kept), (1, 1));
}
