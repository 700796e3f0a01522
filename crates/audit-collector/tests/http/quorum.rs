//! k of n, with witnesses that are down, restarted or lying; forks and rollbacks.

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::{SignatureType, SigningKey};
use audit_shipper::Outcome;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;

use super::*;

fn witnessed(dir: &Path) -> Option<SignedCheckpoint> {
    let bytes = std::fs::read(dir.join("witnessed")).ok()?;
    Some(SignedCheckpoint::parse(&bytes).unwrap())
}

/// A server that answers everything the same.
pub(super) fn liar(status: StatusCode, kind: &'static str, body: String) -> Server {
    let answer = move || async move { (status, [(header::CONTENT_TYPE, kind)], body) };
    Server::start(
        Router::new().route("/add-checkpoint", post(|| async { answer().await.into_response() })),
    )
}

pub(super) fn stranger() -> VerifierKey {
    let key = SigningKey::from_seed(SignatureType::CosignatureV1, "liar.example", &[7; 32]);
    audit_core::note::Signer::verifier_key(&key.unwrap()).clone()
}

#[test]
fn two_of_three_with_a_liar_and_a_restart() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 20);
    let (one, key_one) = witness(&temp.path().join("w1"), std::slice::from_ref(&log));
    let (two, key_two) = witness(&temp.path().join("w2"), std::slice::from_ref(&log));
    // Cosignatures of the right form by the wrong key.
    let lines = "\u{2014} liar.example AAAAAAAAAAAAAAAB\n".to_owned();
    let lying = liar(StatusCode::OK, "text/plain", lines);
    let stranger = stranger();
    let all = |one: &Server, two: &Server| {
        let all = [(&*one.url, &key_one), (&*two.url, &key_two), (&*lying.url, &stranger)];
        policy(2, &all)
    };
    let report = sync(&dir, all(&one, &two));
    assert!(report.satisfied && report.written && !report.has_finding(), "{report:?}");
    assert!(matches!(report.witnesses[2].outcome, Outcome::Lying { .. }), "{report:?}");
    let first = witnessed(&dir).unwrap();
    assert_eq!(first.verify_cosignatures(&[key_one.clone(), key_two.clone()]).unwrap().len(), 2);

    // One down: not enough, and what is there stays.
    write(&dir, "alice", 20);
    let url = two.url.clone();
    drop(two);
    let gone = policy(2, &[(&*one.url, &key_one), (&*url, &key_two), (&*lying.url, &stranger)]);
    let report = sync(&dir, gone);
    assert!(!report.satisfied && !report.written && !report.has_finding(), "{report:?}");
    assert!(matches!(report.witnesses[1].outcome, Outcome::Unreachable { .. }), "{report:?}");
    assert_eq!(witnessed(&dir).unwrap(), first);

    // Back again, with the key and the state it had: it stands behind, and catches up.
    let (two, again) = witness(&temp.path().join("w2"), std::slice::from_ref(&log));
    assert_eq!(again, key_two);
    let report = sync(&dir, all(&one, &two));
    assert!(report.satisfied && report.written, "{report:?}");
    assert!(witnessed(&dir).unwrap().unverified().size > first.unverified().size);
}

#[test]
fn lies_are_told_from_outages_and_change_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 5);
    let (good, key) = witness(&temp.path().join("w"), &[log]);
    assert!(sync(&dir, policy(1, &[(&*good.url, &key)])).written);
    let before = witnessed(&dir).unwrap();
    write(&dir, "alice", 5);
    let stranger = stranger();
    let size = "text/x.tlog.size";
    for (status, kind, body) in [
        (200, "text/plain", "hello\n".to_owned()),
        (200, "text/plain", String::new()),
        (200, "text/plain", "x".repeat(10_000_000)),
        (409, size, "many\n".to_owned()),
        (409, size, "18446744073709551615\n".to_owned()),
        (409, size, "0\n".to_owned()),
        (409, size, "3".to_owned()),
    ] {
        let what = format!("{status} {}", &body[..body.len().min(20)]);
        let lying = liar(StatusCode::from_u16(status).unwrap(), kind, body);
        let report = sync(&dir, policy(1, &[(&*lying.url, &stranger)]));
        let outcome = &report.witnesses[0].outcome;
        assert!(matches!(outcome, Outcome::Lying { .. }), "{what}: {outcome:?}");
        assert!(!report.written && !report.satisfied);
    }
    // More than there is: a claim, loud, and without evidence.
    let lying = liar(StatusCode::CONFLICT, size, "99999\n".to_owned());
    let report = sync(&dir, policy(1, &[(&*lying.url, &stranger)]));
    let claim = Outcome::Rollback { seen: 99_999, evidence: None };
    assert_eq!(report.witnesses[0].outcome, claim);
    for (status, outcome) in [(404, Outcome::UnknownLog), (500, Outcome::Status { status: 500 })] {
        let lying = liar(StatusCode::from_u16(status).unwrap(), "text/plain", String::new());
        let report = sync(&dir, policy(1, &[(&*lying.url, &stranger)]));
        assert_eq!(report.witnesses[0].outcome, outcome);
    }
    assert_eq!(witnessed(&dir).unwrap(), before);
}

#[test]
fn a_witness_that_never_answers_is_left_behind() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 5);
    let (good, key) = witness(&temp.path().join("w"), &[log]);
    // Accepts, by the kernel, and never reads.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let stranger = stranger();
    let policy = policy(1, &[(&*url, &stranger), (&*good.url, &key)]);
    let options = SyncOptions { timeout: Duration::from_millis(300) };
    let report = WitnessSync::new(&dir, policy, &options).sync().unwrap();
    assert_eq!(report.witnesses[0].outcome, Outcome::TimedOut);
    assert!(report.satisfied && report.written);
}

#[test]
fn two_writers_after_a_restored_backup_are_found() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, backup) = (temp.path().join("trail"), temp.path().join("backup"));
    let log = write(&dir, "alice", 20);
    let (server, key) = witness(&temp.path().join("w"), &[log]);
    let policy = || policy(1, &[(&*server.url, &key)]);
    assert!(sync(&dir, policy()).written);
    copy(&dir, &backup);
    write(&dir, "mallory", 30);
    assert!(sync(&dir, policy()).written);

    // The backup as it is: shorter than what was witnessed.
    let report = sync(&backup, policy());
    let Outcome::Rollback { evidence: Some(evidence), .. } = &report.witnesses[0].outcome else {
        panic!("{report:?}")
    };
    assert!(evidence.signed_by_log && report.has_finding() && !report.written);

    // Written on, beyond what was witnessed: another history.
    write(&backup, "alice", 60);
    let before = std::fs::read(backup.join("witnessed")).unwrap();
    let report = sync(&backup, policy());
    let Outcome::Fork { evidence: Some(evidence), .. } = &report.witnesses[0].outcome else {
        panic!("{report:?}")
    };
    assert!(evidence.signed_by_log && report.has_finding() && !report.written);
    assert_eq!(std::fs::read(backup.join("witnessed")).unwrap(), before);

    // With the newer `witnessed` beside it, no witness is needed to see it.
    std::fs::copy(dir.join("witnessed"), backup.join("witnessed")).unwrap();
    assert!(matches!(sync(&backup, policy()).local_finding, Some(Outcome::Fork { .. })));
    // The true one goes on undisturbed.
    assert!(sync(&dir, policy()).satisfied);
}

#[test]
fn a_second_history_with_keys_of_its_own_is_a_fork_and_no_unknown_key() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, backup) = (temp.path().join("trail"), temp.path().join("backup"));
    let log = write_rotating(&dir, "alice", 20);
    let (server, key) = witness(&temp.path().join("w"), &[log]);
    let policy = || policy(1, &[(&*server.url, &key)]);
    assert!(sync(&dir, policy()).written);
    copy(&dir, &backup);
    // Both go on with new keys, the copy beyond what was witnessed of the other.
    write_rotating(&dir, "mallory", 400);
    assert!(sync(&dir, policy()).written);
    write_rotating(&backup, "alice", 900);
    let report = sync(&backup, policy());
    assert!(matches!(report.witnesses[0].outcome, Outcome::Fork { .. }), "{report:?}");
    assert!(report.has_finding() && !report.written);
    assert!(sync(&dir, policy()).satisfied);
}

#[test]
fn without_stored_hashes_the_entries_give_the_proof() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 50);
    let (server, key) = witness(&temp.path().join("w"), &[log]);
    let policy = || policy(1, &[(&*server.url, &key)]);
    assert!(sync(&dir, policy()).written);
    write(&dir, "alice", 50);
    let tree = dir.join("tree.hashes");
    let mut bytes = std::fs::read(&tree).unwrap();
    // Wrong where the proof is taken from, not only missing.
    bytes.iter_mut().for_each(|byte| *byte ^= 1);
    std::fs::write(&tree, bytes).unwrap();
    assert!(sync(&dir, policy()).written);
    write(&dir, "alice", 50);
    std::fs::remove_file(&tree).unwrap();
    assert!(sync(&dir, policy()).written);
}

#[test]
fn a_follower_keeps_up_with_a_writer_and_stops_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 5);
    let (server, key) = witness(&temp.path().join("w"), &[log]);
    let options = SyncOptions { timeout: Duration::from_secs(5) };
    let sync = WitnessSync::new(&dir, policy(1, &[(&*server.url, &key)]), &options);
    let (tell, told) = std::sync::mpsc::channel();
    let follower = audit_shipper::Follower::start(sync, Duration::from_millis(1), move |report| {
        tell.send(report.as_ref().map(|report| report.size).unwrap_or_default()).unwrap_or(());
    });
    let follower = follower.unwrap();
    let first = told.recv().unwrap();
    write(&dir, "alice", 500);
    let last = std::fs::read(dir.join("checkpoint")).unwrap();
    let last = SignedCheckpoint::parse(&last).unwrap().unverified().size;
    assert!(last > first && told.iter().any(|size| size == last));
    follower.stop();
    assert_eq!(witnessed(&dir).unwrap().unverified().size, last);
}
