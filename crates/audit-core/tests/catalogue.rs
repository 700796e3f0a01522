//! The thirty-five built-in events as they stand on disk, against a golden file.

mod common;

use std::fmt::Write;

use audit_core::event::{CRITICAL_EVENT_TYPES, Event, catalogue};

/// What `golden/catalogue.ndjson` holds is the format of released versions: if this fails, the
/// change breaks reports and queries over old trails.
#[test]
fn every_variant_is_written_as_the_golden_file_says() {
    let mut written = String::new();
    for event in common::one_of_each() {
        writeln!(written, "{{{}}}", common::body(&event)).unwrap();
    }
    let golden = include_str!("golden/catalogue.ndjson");
    for (written, golden) in written.lines().zip(golden.lines()) {
        assert_eq!(written, golden);
    }
    assert_eq!(written.lines().count(), golden.lines().count());
}

#[test]
fn the_catalogue_lists_what_is_written() {
    let events = common::one_of_each();
    assert_eq!(catalogue().len(), 35);
    assert_eq!(events.len(), 35);
    for (event, description) in events.iter().zip(catalogue()) {
        let entry = common::entry(event);
        assert_eq!(entry["event_type"], description.event_type);
        assert_eq!(entry.get("critical").is_some(), description.critical);
        if let Some(result) = description.result {
            assert_eq!(entry["result"], result.as_str());
        }
        let details = entry.get("details").and_then(|details| details.as_object());
        for name in details.into_iter().flat_map(|details| details.keys()) {
            assert!(description.details.iter().any(|detail| detail.name == name), "{name}");
        }
        for detail in description.details.iter().filter(|detail| !detail.optional) {
            assert!(details.is_some_and(|d| d.contains_key(detail.name)), "{}", detail.name);
        }
    }
}

#[test]
fn exactly_ten_are_critical() {
    let critical: Vec<_> = common::one_of_each()
        .iter()
        .filter(|event| event.is_critical())
        .map(|event| Event::event_type(event).to_owned())
        .collect();
    assert_eq!(critical, CRITICAL_EVENT_TYPES);
}
