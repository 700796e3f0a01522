//! The example of tlog-policy, and what it forbids.

use audit_core::note::{Signer, SigningKey};

use super::*;

fn key(kind: SignatureType, n: u8) -> VerifierKey {
    let key = SigningKey::from_seed(kind, &format!("example.com/{n}"), &[n; 32]).unwrap();
    key.verifier_key().clone()
}

fn witness(n: u8) -> VerifierKey {
    key(SignatureType::CosignatureV1, n)
}

/// `%1` to `%9` stand for witness keys, `%L` for a log's.
fn parse(text: &str) -> Result<Policy, PolicyError> {
    let mut text = text.replace("%L", &key(SignatureType::Ed25519, 100).to_string());
    for n in 1..=9 {
        text = text.replace(&format!("%{n}"), &witness(n).to_string());
    }
    Policy::parse(text.as_bytes())
}

#[test]
fn the_example_of_the_specification() {
    let policy = parse(
        "# two organisations\nlog %L\n\n\twitness X1 %1\nwitness X2 %2 http://a:1/\nwitness X3 %3\n\
         group X-witnesses 2 X1 X2 X3\nwitness Y1 %4\nwitness Y2 %5\n  witness \t Y3 %6\n\
         group Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
    )
    .unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
    assert_eq!(policy.witnesses()[1].url.as_deref(), Some("http://a:1"));
    for (cosigned, expected) in [
        (vec![], false),
        (vec![1, 2], false),
        (vec![1, 2, 3], false),
        (vec![1, 4, 5, 6], false),
        (vec![1, 1, 4], false),
        (vec![1, 3, 6], true),
        (vec![1, 2, 3, 4, 5, 6], true),
        (vec![1, 9, 4], false),
    ] {
        let keys: Vec<VerifierKey> = cosigned.iter().map(|n| witness(*n)).collect();
        assert_eq!(policy.is_satisfied_by(&keys), expected, "{cosigned:?}");
    }
    assert!(parse("quorum none").unwrap().is_satisfied_by([]));
    let single = parse("witness a %1\nwitness b %2\nquorum b").unwrap();
    assert!(single.is_satisfied_by([&witness(2)]) && !single.is_satisfied_by([&witness(1)]));
}

#[test]
fn what_is_no_policy_is_refused_with_its_line() {
    use PolicyFault as F;
    for (text, line, what) in [
        ("", 0, F::Quorum),
        ("quorum none\nquorum none", 2, F::Quorum),
        ("quorum a", 1, F::UnknownName),
        ("witness a %1\nwitness a %2", 2, F::DuplicateName),
        ("witness none %1", 1, F::DuplicateName),
        ("witness a %1\nwitness b %1", 2, F::DuplicateKey),
        ("log %L\nlog %L", 2, F::DuplicateKey),
        ("witness a %1\ngroup g 1 a\ngroup h 1 a", 3, F::SecondMembership),
        ("witness a %1\ngroup g 2 a a", 2, F::SecondMembership),
        ("witness a %1\ngroup g 0 a", 2, F::Threshold),
        ("witness a %1\ngroup g 2 a", 2, F::Threshold),
        ("witness a %1\ngroup g -1 a", 2, F::Threshold),
        ("witness a %1\ngroup g most a", 2, F::Threshold),
        ("group g any g", 1, F::UnknownName),
        ("group g any", 1, F::Line),
        ("witness a", 1, F::Line),
        ("hello", 1, F::Line),
        ("quorum none\r\n", 1, F::ControlCharacter),
        ("witness a %1 ftp://x", 1, F::Url),
        ("witness a %L", 1, F::KeyType { expected: 4, found: 1 }),
        ("log %1", 1, F::KeyType { expected: 1, found: 4 }),
    ] {
        assert_eq!(parse(text).unwrap_err(), PolicyError { line, what }, "{text}");
    }
    assert!(matches!(parse("witness a b+c").unwrap_err().what, F::Key(_)));
}
