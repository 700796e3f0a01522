//! `verify --from-last`: what it leaves, goes on from, and refuses.

use std::fs;

use crate::{run, vectors};

#[test]
fn it_goes_on_where_the_last_one_ended_and_says_what_it_did_not_read() {
    let keys = fs::read(vectors().join("keys.json")).unwrap();
    let keys: serde_json::Value = serde_json::from_slice(&keys).unwrap();
    let (key, other) = (keys["vkeys"][0].as_str().unwrap(), keys["vkeys"][1].as_str().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("billing.state").display().to_string();
    let trail = vectors().join("healthy").display().to_string();
    let verify =
        |more: &[&str]| run(&[&["verify", &trail, "--from-last", &state][..], more].concat());
    let json = |more: &[&str]| -> serde_json::Value {
        let output = verify(&[&["--json"][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let first = json(&["--key", key]);
    assert!(first.get("resumed_from").is_none(), "{first}");
    let second = json(&["--key", key]);
    assert_eq!(second["resumed_from"], first["sealed_size"]);
    assert_eq!(second["root"], first["root"]);
    let text = String::from_utf8(verify(&["--key", key]).stdout).unwrap();
    assert!(text.contains("not read again"), "{text}");

    // What somebody altered is refused, and nothing is verified.
    let refused = |more: &[&str], why: &str| {
        let output = verify(more);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(why), "{error}");
    };
    refused(&["--key", other], "another key");
    let honest = fs::read_to_string(&state).unwrap();
    fs::write(&state, honest.replacen(key, other, 1)).unwrap();
    refused(&["--key", other], "no state of a verification");
    fs::write(&state, "{}").unwrap();
    refused(&[], "no state of a verification");
    assert_eq!(fs::read_to_string(&state).unwrap(), "{}", "and left as it is");

    // One of another trail is a contradiction, and stays.
    fs::write(&state, &honest).unwrap();
    let cut = vectors().join("tampered-truncated").display().to_string();
    let output = run(&["verify", "--json", &cut, "--key", key, "--from-last", &state]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"truncated\""));
    assert_eq!(fs::read_to_string(&state).unwrap(), honest);
}
