//! Verification that goes on where the last one ended: what it proves, and what it cannot be made to.

use std::fs;

use audit_core::chain::{Hash, Head};
use audit_core::checkpoint::Checkpoint;
use audit_core::note::Signer;
use audit_reader::{FindingKind, Report, Verdict, VerifiedState, VerifyOptions, verify_dir};

use crate::common::{Trail, key};

const ONE: &str = "2026-11-23.audit";
const TWO: &str = "2026-11-24.audit";
const THREE: &str = "2026-11-25.audit";

fn options<'a>() -> VerifyOptions<'a> {
    VerifyOptions::default().with_key(key(0).verifier_key().clone()).with_jobs(2)
}

fn full(trail: &Trail) -> Report {
    verify_dir(trail.path(), options()).unwrap()
}

fn from(trail: &Trail, state: &VerifiedState) -> Report {
    verify_dir(trail.path(), options().from_state("last", state.clone())).unwrap()
}

fn state(report: &Report) -> VerifiedState {
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    let state = report.verified.as_ref().unwrap();
    // As it comes back from a file.
    VerifiedState::parse(state.to_json().as_bytes()).unwrap()
}

fn found(report: &Report, kind: FindingKind) -> bool {
    report.findings.counts().contains_key(&kind)
}

/// 40 entries in two segments, of which the last 15 are in the second, with two changes of keys.
fn trail() -> Trail {
    let mut trail = Trail::new();
    trail.write(ONE, 21);
    trail.rotate(ONE);
    trail.close(ONE);
    trail.rotate(TWO);
    trail.write(TWO, 15);
    trail
}

#[test]
fn it_comes_to_what_a_whole_verification_comes_to() {
    let mut trail = trail();
    let mut last = state(&full(&trail));
    assert_eq!(last.size(), 40);
    for step in 0..12 {
        match step {
            3 => trail.close(TWO),
            4..=8 => trail.write(THREE, step),
            9 => trail.rotate(THREE),
            _ => trail.write(if step < 3 { TWO } else { THREE }, 1),
        }
        if step == 9 {
            trail.seal();
        }
        let (whole, resumed) = (full(&trail), from(&trail, &last));
        assert_eq!(resumed.verdict, Verdict::Proven, "{:?}", resumed.findings.kept());
        assert_eq!(resumed.resumed_from, Some(last.size()), "step {step}");
        let facts = |r: &Report| (r.entries, r.last_seq, r.sealed_size, r.root.clone());
        assert_eq!(facts(&resumed), facts(&whole), "step {step}");
        assert!(resumed.bytes < whole.bytes);
        assert_eq!(resumed.verified.as_ref().unwrap().to_json(), state(&whole).to_json());
        last = state(&resumed);
    }
}

#[test]
fn what_was_not_signed_is_read_again() {
    let mut trail = trail();
    let tail = trail.lines(3);
    trail.append(TWO, &tail);
    let last = state(&full(&trail));
    assert_eq!(last.size(), 40);
    let resumed = from(&trail, &last);
    assert_eq!((resumed.resumed_from, resumed.unsigned_tail), (Some(40), Some(3)));
}

#[test]
fn damage_behind_the_place_is_found_and_before_it_is_said_to_be_unread() {
    let mut trail = trail();
    let last = state(&full(&trail));
    trail.write(TWO, 5);
    let honest = fs::read(trail.file(TWO)).unwrap();
    let mut edited = honest.clone();
    let at = edited.len() - 100;
    edited[at] ^= 1;
    fs::write(trail.file(TWO), &edited).unwrap();
    assert_eq!(from(&trail, &last).verdict, Verdict::Violated);
    fs::write(trail.file(TWO), &honest).unwrap();
    let one = fs::read_to_string(trail.file(ONE)).unwrap();
    fs::write(trail.file(ONE), one.replacen(r#""n":7"#, r#""n":8"#, 1)).unwrap();
    let resumed = from(&trail, &last);
    assert_eq!((resumed.verdict, resumed.resumed_from), (Verdict::Proven, Some(40)));
    // Whoever asks for something older has everything read.
    let older = Trail::of(21).checkpoint();
    let asked = options().with_reference("older", older).from_state("last", last);
    let report = verify_dir(trail.path(), asked).unwrap();
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, None));
}

#[test]
fn an_older_copy_and_another_history_are_found() {
    let mut trail = trail();
    let early = (fs::read(trail.file(TWO)).unwrap(), fs::read(trail.file("checkpoint")).unwrap());
    let hashes = fs::read(trail.file("tree.hashes")).unwrap();
    trail.write(TWO, 5);
    let last = state(&full(&trail));
    fs::write(trail.file(TWO), &early.0).unwrap();
    fs::write(trail.file("checkpoint"), &early.1).unwrap();
    fs::write(trail.file("tree.hashes"), &hashes).unwrap();
    let report = from(&trail, &last);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, None));
    assert!(found(&report, FindingKind::Rollback));

    // The copy goes on, signed by the same key.
    let mut other = self::trail();
    let members = r#""timestamp":"2026-11-23T06:54:00.000000000Z","service_id":"svc","event_type":"task.other","result":"success""#;
    let mut line = Vec::new();
    for _ in 0..9 {
        other.members(&mut line, members);
    }
    other.append(TWO, &line);
    other.seal();
    assert_eq!(full(&other).verdict, Verdict::Proven);
    let report = from(&other, &last);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, None));
    assert!(found(&report, FindingKind::Fork));
}

#[test]
fn an_altered_state_proves_nothing_that_is_not_so() {
    let mut trail = trail();
    let text = state(&full(&trail)).to_json();
    trail.write(TWO, 5);
    // A forger without a key of the log goes on after the last entry that was verified.
    let mut forged = self::trail();
    forged.head = Head { last_hash: Hash([7; 32]), ..forged.head };
    let lines = forged.lines(5);
    forged.append(TWO, &lines);
    forged.seal();
    let (mut refused, mut read) = (0, 0);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1 << (at % 7);
        let Ok(altered) = VerifiedState::parse(&bytes) else {
            refused += 1;
            continue;
        };
        read += 1;
        assert_ne!(from(&forged, &altered).verdict, Verdict::Proven, "byte {at}");
        // What is left of it may say where to look, and finds what is true or everything.
        let report = from(&trail, &altered);
        if report.verdict == Verdict::Proven {
            assert_eq!(report.root, full(&trail).root, "byte {at}");
        }
    }
    assert!(refused > 10 * read, "{refused} refused, {read} read");
}

#[test]
fn a_state_made_with_another_key_is_not_gone_on_from() {
    let trail = trail();
    let last = state(&full(&trail)).to_json();
    // A stranger's trail has all that a state needs, but for the first key.
    let stranger =
        verify_dir(trail.path(), VerifyOptions::default().with_key(key(2).verifier_key().clone()))
            .unwrap();
    assert!(stranger.verified.is_none());
    let first = key(0).verifier_key().to_string();
    let swapped = last.replacen(&first, &key(5).verifier_key().to_string(), 1);
    assert!(VerifiedState::parse(swapped.as_bytes()).is_err());
    // Without its rotations the first key did not sign it.
    let mut value: serde_json::Value = serde_json::from_str(&last).unwrap();
    value["rotations"] = serde_json::json!([]);
    assert!(VerifiedState::parse(value.to_string().as_bytes()).is_err());
    let state = VerifiedState::parse(last.as_bytes()).unwrap();
    let pinned = VerifyOptions::default().with_key(key(2).verifier_key().clone());
    let report = verify_dir(trail.path(), pinned.from_state("last", state)).unwrap();
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, None));
}

#[test]
fn a_trail_without_its_front_is_proven_by_the_key_in_force_there_or_a_later_one() {
    let mut trail = trail();
    let (front, key_there) = (23, key(1).verifier_key().to_string());
    let said = serde_json::json!({"segments": [{"filename": ONE, "first_seq": 0, "last_seq": 22}],
        "front": {"seq": front, "key": key_there}});
    let mut line = Vec::new();
    trail.line(&mut line, "audit.retention_applied", &said.to_string());
    trail.append(TWO, &line);
    trail.seal();
    let before = state(&full(&trail));
    fs::remove_file(trail.file(ONE)).unwrap();
    fs::remove_file(trail.file(&format!("{ONE}.sha256"))).unwrap();
    let pinned = |epoch: u8| {
        let options = VerifyOptions::default().with_key(key(epoch).verifier_key().clone());
        verify_dir(trail.path(), options).unwrap()
    };
    for (epoch, expected) in
        [(0, Verdict::Unproven), (1, Verdict::Proven), (2, Verdict::Proven), (5, Verdict::Unproven)]
    {
        let report = pinned(epoch);
        assert_eq!(report.verdict, expected, "epoch {epoch}: {:?}", report.findings.kept());
        assert_eq!((report.first_seq, report.entries), (Some(front), 18));
    }
    // Nobody gave a key: the trail says which one, and whose word that is.
    let report = verify_dir(trail.path(), VerifyOptions::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    assert!(found(&report, FindingKind::SelfAssertedKey));
    // Whoever verified before the front went needs no other key.
    let resumed = from(&trail, &before);
    assert_eq!((resumed.verdict, resumed.resumed_from), (Verdict::Proven, Some(41)));
    let later = state(&pinned(1));
    assert_eq!(later.size(), 41);
    // A stranger who goes on with a key of his own is not believed for the first key's sake.
    let edited = fs::read_to_string(trail.file(TWO)).unwrap().replacen(r#""n":30"#, r#""n":31"#, 1);
    fs::write(trail.file(TWO), edited).unwrap();
    assert_eq!(pinned(0).verdict, Verdict::Violated);
}

#[test]
fn a_front_that_goes_behind_a_verification_has_to_be_announced() {
    let mut trail = trail();
    let before = state(&full(&trail));
    let files = [ONE.to_owned(), format!("{ONE}.sha256")];
    let kept = files.each_ref().map(|file| fs::read(trail.file(file)).unwrap());
    let remove = |trail: &Trail| {
        files.iter().for_each(|file| fs::remove_file(trail.file(file)).unwrap());
    };
    remove(&trail);
    let report = from(&trail, &before);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, Some(40)));
    assert!(found(&report, FindingKind::SequenceGap));
    // Announced since, and by a word that the state knows of.
    for (file, bytes) in files.iter().zip(kept) {
        fs::write(trail.file(file), bytes).unwrap();
    }
    let said = serde_json::json!({"segments": [{"filename": ONE, "first_seq": 0, "last_seq": 22}]});
    let mut line = Vec::new();
    trail.line(&mut line, "audit.retention_applied", &said.to_string());
    trail.append(TWO, &line);
    // Nobody signed it yet: that is no word.
    let early = fs::read(trail.file(ONE)).unwrap();
    remove(&trail);
    assert!(found(&from(&trail, &before), FindingKind::SequenceGap));
    fs::write(trail.file(ONE), early).unwrap();
    fs::write(trail.file(&files[1]), "").unwrap();
    trail.seal();
    let knows = state(&from(&trail, &before));
    remove(&trail);
    for state in [&before, &knows] {
        let report = from(&trail, state);
        assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    }
}

#[test]
fn the_keys_of_a_state_come_in_their_order_and_its_epoch_is_theirs() {
    let mut trail = Trail::new();
    trail.write(ONE, 20);
    trail.rotate(ONE);
    trail.write(ONE, 5);
    let text = state(&full(&trail)).to_json();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    // What it says of the epoch is not believed.
    let mut other = file.clone();
    other["epoch"] = serde_json::Value::Null;
    let read = VerifiedState::parse(other.to_string().as_bytes()).unwrap();
    assert_eq!(read.to_json(), text);
    // The new key signs a tree that is older than itself.
    let (size, root) = (20, Trail::of(20).checkpoint().unverified().root);
    let early = Checkpoint::new("audit.example/svc/1", size, root).sign(&key(1)).unwrap();
    let mut other = file.clone();
    other["checkpoint"] = early.to_string().into();
    let shorter = state(&full(&Trail::of(20)));
    let shorter: serde_json::Value = serde_json::from_str(&shorter.to_json()).unwrap();
    for member in ["last_hash", "segment", "last"] {
        other[member] = shorter[member].clone();
    }
    let error = VerifiedState::parse(other.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("older than the key"), "{error}");
}

#[test]
fn the_thief_of_a_later_key_makes_up_no_state_with_another_past() {
    let mut honest = Trail::new();
    honest.write(ONE, 20);
    honest.rotate(ONE);
    honest.write(ONE, 5);
    let honest: serde_json::Value = serde_json::from_str(&state(&full(&honest)).to_json()).unwrap();
    assert!(VerifiedState::parse(honest.to_string().as_bytes()).is_ok());
    // Whoever has the second key signs a tree in which entry 7 is another, and attaches the true rotation.
    let mut forged = Trail::new();
    let lines = forged.lines(7);
    forged.append(ONE, &lines);
    let mut line = Vec::new();
    forged.line(&mut line, "task.submitted", r#"{"n":"forged"}"#);
    forged.append(ONE, &line);
    forged.write(ONE, 12);
    forged.rotate(ONE);
    forged.write(ONE, 5);
    let own: serde_json::Value = {
        let report = full(&forged);
        serde_json::from_str(&state(&report).to_json()).unwrap()
    };
    let mut state = own.clone();
    state["rotations"] = honest["rotations"].clone();
    let refused = |state: &serde_json::Value| {
        VerifiedState::parse(state.to_string().as_bytes()).unwrap_err().to_string()
    };
    assert!(refused(&state).contains("not of this tree"), "{}", refused(&state));
    // Nor do the subtrees of his own tree lead from the rotation to anywhere.
    state["rotations"][0]["since"] = own["rotations"][0]["since"].clone();
    assert!(refused(&state).contains("go on from the one before"), "{}", refused(&state));
    // None, too many, or those of the whole tree are not what is asked for either.
    for since in [serde_json::json!([]), honest["rotations"][0]["since"].clone()] {
        let mut state = honest.clone();
        state["since"] = since;
        assert!(refused(&state).contains("not of this tree"), "{}", refused(&state));
    }
}

#[test]
fn a_change_of_keys_that_a_crash_cut_short_changes_nothing_for_a_state() {
    let mut trail = Trail::new();
    trail.write(ONE, 9);
    trail.rotate(ONE);
    trail.write(ONE, 6);
    let given_up = trail.rotation_begun();
    trail.append(ONE, &given_up);
    let mut line = Vec::new();
    let signed = serde_json::json!({"signed": 17});
    trail.line(&mut line, "audit.recovered", &signed.to_string());
    trail.append(ONE, &line);
    trail.write(ONE, 4);
    let before = state(&full(&trail));
    trail.rotate(ONE);
    trail.write(ONE, 3);
    let report = from(&trail, &before);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Proven, Some(before.size())));
    assert_eq!(state(&report).to_json(), state(&full(&trail)).to_json());
}

/// `ONE`, `TWO` and `THREE`, of which the second is closed.
fn three() -> Trail {
    let mut trail = trail();
    trail.close(TWO);
    trail.write(THREE, 5);
    trail
}

#[test]
fn a_segment_that_was_passed_over_does_not_go_unnoticed() {
    let trail = three();
    let last = state(&full(&trail));
    assert_eq!(from(&trail, &last).resumed_from, Some(45));
    let two = fs::read(trail.file(TWO)).unwrap();
    let first = |lines: usize| {
        let one = fs::read_to_string(trail.file(ONE)).unwrap();
        one.split_inclusive('\n').take(lines).collect::<String>()
    };
    let cut = first(1);
    // Nothing speaks of it any more.
    fs::remove_file(trail.file(TWO)).unwrap();
    fs::remove_file(trail.file(&format!("{TWO}.sha256"))).unwrap();
    for cuts in [false, true] {
        if cuts {
            fs::write(trail.file(ONE), &cut).unwrap();
        }
        let report = from(&trail, &last);
        assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, None), "{cuts}");
        assert!(found(&report, FindingKind::SequenceGap));
    }
    // Nor does one that was not there before.
    let trail = three();
    fs::write(trail.file("2026-11-23-1.audit"), two).unwrap();
    let report = from(&trail, &last);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, None));
    // Both of the first two, of which only the first was announced.
    let mut trail = three();
    let said = serde_json::json!({"segments": [{"filename": ONE, "first_seq": 0, "last_seq": 22}]});
    let mut line = Vec::new();
    trail.line(&mut line, "audit.retention_applied", &said.to_string());
    trail.append(THREE, &line);
    trail.seal();
    let knows = state(&full(&trail));
    for name in [ONE, TWO] {
        fs::remove_file(trail.file(name)).unwrap();
        fs::remove_file(trail.file(&format!("{name}.sha256"))).unwrap();
    }
    let report = from(&trail, &knows);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Violated, Some(46)));
    assert!(found(&report, FindingKind::SequenceGap));
}

#[test]
fn a_front_that_is_put_back_is_no_alarm() {
    let mut trail = trail();
    let said = serde_json::json!({"segments": [{"filename": ONE, "first_seq": 0, "last_seq": 22}]});
    let mut line = Vec::new();
    trail.line(&mut line, "audit.retention_applied", &said.to_string());
    trail.append(TWO, &line);
    trail.seal();
    let (one, whole) = (fs::read(trail.file(ONE)).unwrap(), state(&full(&trail)));
    fs::remove_file(trail.file(ONE)).unwrap();
    fs::remove_file(trail.file(&format!("{ONE}.sha256"))).unwrap();
    let shortened = state(&from(&trail, &whole));
    fs::write(trail.file(ONE), one).unwrap();
    let report = from(&trail, &shortened);
    assert_eq!((report.verdict, report.resumed_from), (Verdict::Proven, None));
    assert_eq!(report.first_seq, Some(0));
}
