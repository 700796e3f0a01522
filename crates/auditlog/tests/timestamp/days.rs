//! Bad days of an authority: down, slow, rude, mistaken. Nothing is kept, and it is said whose fault it is.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use crate::authority::{Answer, Authority, openssl, sequence};
use crate::{auditlog, check, json, size, stamp, trail};

#[test]
fn what_does_not_hold_is_not_kept() {
    let Some(authority) = Authority::start() else { return };
    let dir = trail(&authority.path("trail"));
    let root = authority.path("root.pem");
    let note = std::fs::read(Path::new(&dir).join("checkpoint")).unwrap();
    let by_rsa = "rsa-sha256-sha256";
    let reply = "application/timestamp-reply";
    let fixed =
        |status, kind, body: &[u8]| authority.answering(Answer::Fixed(status, kind, body.to_vec()));

    let good = authority.response(by_rsa, &note);
    let other = authority.response(by_rsa, b"other bytes");
    std::fs::write(authority.path("other.data"), "other bytes").unwrap();
    let query = "ts -query -data other.data -sha256 -cert -out other.tsq";
    openssl(authority.dir.path(), query).unwrap();
    let other_query = std::fs::read(authority.path("other.tsq")).unwrap();
    // openssl does not stamp SHA-1 here: a true rejection.
    let query = "ts -query -data other.data -sha1 -cert -out sha1.tsq";
    openssl(authority.dir.path(), query).unwrap();
    let sha1_query = std::fs::read(authority.path("sha1.tsq")).unwrap();

    let cases = [
        ("down", "http://127.0.0.1:1/".to_owned(), "cannot be reached"),
        ("500", fixed(500, "text/plain", b"oops"), "status 500"),
        ("a redirect", fixed(302, "text/plain", b""), "status 302"),
        ("HTML", fixed(200, "text/html", b"<html>"), "\"text/html\""),
        ("HTML called a reply", fixed(200, reply, b"<html>"), "cannot be read"),
        ("nothing", fixed(200, reply, b""), "cannot be read"),
        ("too much", fixed(200, reply, &[0x30; 70_000]), "larger than any answer"),
        ("cut short", fixed(200, reply, &good[..good.len() - 9]), "cannot be read"),
        ("granted nothing", fixed(200, reply, &sequence(&[0x30, 3, 2, 1, 0])), "has a token"),
        ("another nonce", fixed(200, reply, &good), "nonce"),
        ("other bytes", fixed(200, reply, &other), "other bytes"),
        ("asked otherwise", authority.answering(Answer::Instead(other_query)), "other bytes"),
        ("rejection", authority.answering(Answer::Instead(sha1_query)), "refused: Rejection"),
        ("no address", "ftp://127.0.0.1/".to_owned(), "begins with http"),
    ];
    for (what, url, problem) in cases {
        let (code, said) = stamp(&dir, &url, &root);
        assert_eq!(code, 2, "{what}: {said}");
        let error = said["error"].as_str().unwrap();
        assert!(error.contains(problem), "{what}: {error}");
        assert_eq!(check(&dir, &root).0, 3, "{what}: something is kept");
    }
    let (asked, _heard) = channel();
    let slow = authority.answering(Answer::Silence(asked));
    let roots = root.to_str().unwrap();
    let (code, said) =
        json(&["timestamp", &dir, "--tsa", &slow, "--roots", roots, "--timeout", "1"]);
    assert_eq!(code, 2, "{said}");
    assert!(said["error"].as_str().unwrap().contains("in time"), "{said}");
    // Another root than the authority's, and what is none.
    let (code, said) = stamp(&dir, &authority.by(by_rsa), &authority.path("other.pem"));
    assert_eq!(code, 2, "{said}");
    assert!(said["error"].as_str().unwrap().contains("no path leads"), "{said}");
    for none in ["root.key", "ext.cnf", "nowhere"] {
        let (code, said) = stamp(&dir, &authority.by(by_rsa), &authority.path(none));
        assert_eq!(code, 2, "{none}: {said}");
    }
    // After all of that it works at once.
    assert_eq!(stamp(&dir, &authority.by(by_rsa), &root).0, 0);
    assert_eq!(check(&dir, &root).0, 0);
}

#[test]
fn arguments_and_trails_that_cannot_be() {
    let Some(authority) = Authority::start() else { return };
    let root = authority.path("root.pem");
    let roots = root.to_str().unwrap();
    let dir = trail(&authority.path("trail"));
    for args in [
        &["timestamp", &dir, "--roots", roots][..],
        &["timestamp", &dir, "--tsa", "http://x"],
        &["timestamp", &dir, "--tsa", "http://x", "--check", "--roots", roots],
        &["timestamp", &dir, "--tsa", "http://x", "--roots", roots, "--key", "k"],
        &["timestamp", "/nowhere", "--check", "--roots", roots],
        &["timestamp", "/nowhere", "--tsa", "http://x", "--roots", roots],
    ] {
        assert_eq!(auditlog(args).status.code(), Some(2), "{args:?}");
    }
    // What was stamped could not be stamped again: no checkpoint that the trail's key did not sign.
    let checkpoint = Path::new(&dir).join("checkpoint");
    let whole = std::fs::read_to_string(&checkpoint).unwrap();
    let changed = whole.trim_end().strip_suffix('=').unwrap_or(whole.trim_end());
    let at = changed.len() - 9;
    let letter = if changed[at..].starts_with('A') { "B" } else { "A" };
    let changed = format!("{}{letter}{}", &whole[..at], &whole[at + 1..]);
    std::fs::write(&checkpoint, changed).unwrap();
    let (code, said) = stamp(&dir, &authority.by("rsa-sha256-sha256"), &root);
    assert_eq!(code, 2, "{said}");
    assert!(said["error"].as_str().unwrap().contains("no key that the trail names"), "{said}");
    let kept: Vec<_> = std::fs::read_dir(Path::new(&dir).join("timestamps")).unwrap().collect();
    assert!(kept.is_empty(), "{kept:?}");
    std::fs::remove_file(Path::new(&dir).join("checkpoint")).unwrap();
    let (code, said) = stamp(&dir, &authority.by("rsa-sha256-sha256"), &root);
    assert_eq!(code, 2, "{said}");
    assert!(said["error"].as_str().unwrap().contains("no checkpoint yet"), "{said}");
}

#[test]
fn one_process_asks_at_a_time_and_a_kill_leaves_nothing() {
    let Some(authority) = Authority::start() else { return };
    let root = authority.path("root.pem");
    let roots = root.to_str().unwrap();
    let dir = trail(&authority.path("trail"));
    let (asked, heard) = channel();
    let slow = authority.answering(Answer::Silence(asked));
    let mut first = Command::new(env!("CARGO_BIN_EXE_auditlog"))
        .args(["timestamp", &dir, "--tsa", &slow, "--roots", roots, "--timeout", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    heard.recv().unwrap();
    let by = authority.by("ec-sha256-sha256");
    let (code, said) = stamp(&dir, &by, &root);
    assert_eq!(code, 2, "{said}");
    assert!(said["error"].as_str().unwrap().contains("another process"), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(check(&dir, &root).0, 3, "something is kept");
    // Or it was killed when the checkpoint was kept, and the token was not yet.
    let at = Path::new(&dir).join("timestamps");
    for name in [format!("{}.checkpoint", size(&dir)), format!("{}.tsr.tmp", size(&dir))] {
        std::fs::write(at.join(name), "half").unwrap();
    }
    let (code, said) = stamp(&dir, &by, &root);
    assert_eq!((code, &said["written"]), (0, &true.into()), "{said}");
    assert_eq!(check(&dir, &root).0, 0);
}
