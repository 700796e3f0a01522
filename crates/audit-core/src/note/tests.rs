//! Notes against C2SP's and Go's published examples, against Cloudflare's `signed_note`, and against
//! whoever writes notes in order to deceive.

use proptest::prelude::*;
use signed_note as oracle;
use zeroize::Zeroizing;

use super::NoteErrorKind as Kind;
use super::*;

/// The example of Go's `golang.org/x/mod/sumdb/note`.
const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/// The example of C2SP signed-note.
const QUASIMODO: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(SignatureType::Ed25519, name, &[seed; 32]).unwrap()
}

fn cosigner(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(SignatureType::CosignatureV1, name, &[seed; 32]).unwrap()
}

fn pinned(keys: &[&SigningKey]) -> Vec<VerifierKey> {
    keys.iter().map(|key| key.verifier_key().clone()).collect()
}

fn kind(note: &str) -> Kind {
    SignedNote::parse(note.as_bytes()).unwrap_err().kind
}

#[test]
fn the_example_of_go() {
    let note = format!("{TEXT}\n{SIGNATURE}");
    let keys = [VerifierKey::parse(VKEY).unwrap()];
    let parsed = SignedNote::parse(note.as_bytes()).unwrap();
    let verified = parsed.verify(&keys).unwrap();
    assert_eq!(verified, [Verified { key: &keys[0], timestamp: None }]);
    assert_eq!((parsed.text(), parsed.to_string()), (TEXT, note.clone()));
    let signer = SigningKey::parse(SKEY).unwrap();
    assert_eq!(SignedNote::sign(TEXT, &signer).unwrap().to_string(), note);
    assert_eq!(signer.verifier_key().to_string(), VKEY);
    assert_eq!(*signer.to_secret_line(), SKEY);
    let sum = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(VerifierKey::parse(sum).unwrap().to_string(), sum);
}

#[test]
fn the_example_of_c2sp() {
    let note = SignedNote::parse(QUASIMODO.as_bytes()).unwrap();
    // It has an empty line of its own: the last one separates.
    assert!(note.text().ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(note.signatures()[0].name(), "quasimodo.example/salvatore");
    assert_eq!(note.signatures()[0].id().to_string(), "367ba04b");
    assert_eq!(note.to_string(), QUASIMODO);
    let known = pinned(&[&key("quasimodo.example/salvatore", 1)]);
    assert_eq!(note.verify(&known), Err(VerifyError::NoKnownKey { found: 1 }));
}

#[test]
fn the_keys_of_the_vectors() {
    let keys: serde_json::Value =
        serde_json::from_str(include_str!("../../../../fixtures/vectors/keys.json")).unwrap();
    let origin = keys["origin"].as_str().unwrap();
    for (epoch, seed) in [1u8, 2, 3].into_iter().enumerate() {
        let key = key(origin, seed);
        assert_eq!(key.verifier_key().to_string(), keys["vkeys"][epoch].as_str().unwrap());
        let line = keys["skeys"][epoch].as_str().unwrap();
        assert_eq!(*key.to_secret_line(), line);
        let read = SigningKey::parse(&format!("{line}\n")).unwrap();
        assert_eq!(read.verifier_key(), key.verifier_key());
    }
}

#[test]
fn cloudflare_and_this_agree() {
    let signer = oracle::StandardSigner::new(SKEY).unwrap();
    let mut theirs = oracle::Note::new(TEXT.as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    let ours = SignedNote::sign(TEXT, &SigningKey::parse(SKEY).unwrap()).unwrap();
    assert_eq!(theirs.to_bytes(), ours.to_string().into_bytes());
    for seed in 1..20 {
        let key = key("log.example/ä", seed);
        let note = SignedNote::sign(&format!("text {seed}\n\n\n"), &key).unwrap();
        let known = oracle::StandardVerifier::new(&key.verifier_key().to_string()).unwrap();
        let theirs = oracle::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        let list = oracle::VerifierList::new(vec![Box::new(known)]);
        let (verified, unverified) = theirs.verify(&list).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        assert_eq!(theirs.text(), note.text().as_bytes());
    }
}

#[test]
fn unknown_keys_are_ignored_and_known_ones_must_be_true() {
    let (log, other, third) =
        (key("log.example", 1), key("log.example", 2), key("third.example", 3));
    let mut note = SignedNote::sign("text\n", &other).unwrap();
    note.add_signature(&log).unwrap();
    note.add_signature(&log).unwrap();
    note.add_signature(&third).unwrap();
    let known = pinned(&[&third, &log]);
    let names: Vec<_> = note.verify(&known).unwrap().iter().map(|by| by.key.to_string()).collect();
    assert_eq!(names, [known[1].to_string(), known[0].to_string()]);
    // Same name and other id, or same id and other name: not the known key.
    let stranger = NoteSignature::new("stranger.example", log.key_id(), vec![0; 64]);
    note.add(stranger).unwrap();
    assert_eq!(note.verify(&known).unwrap().len(), 2);
    // A known key's false signature spoils the note, wherever it stands.
    for bytes in [vec![0; 64], vec![0; 63], vec![0; 65], vec![1]] {
        let mut spoiled = note.clone();
        spoiled.add(NoteSignature::new("log.example", log.key_id(), bytes)).unwrap();
        let id = log.key_id();
        let expected = VerifyError::Invalid { name: "log.example".into(), id };
        assert_eq!(spoiled.verify(&known), Err(expected));
        assert_eq!(spoiled.verify(&known[..1]).unwrap().len(), 1);
    }
    assert_eq!(note.verify(&[]), Err(VerifyError::NoKnownKey { found: 5 }));
    // One key given twice is one key.
    let twice = pinned(&[&log, &log]);
    assert_eq!(note.verify(&twice).unwrap().len(), 1);
}

#[test]
fn every_altered_bit_is_found() {
    let log = key("log.example", 1);
    let known = pinned(&[&log]);
    let note = SignedNote::sign("log.example\n7\nroot\n", &log).unwrap().to_string().into_bytes();
    for bit in 0..note.len() * 8 {
        let mut bad = note.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let verified = SignedNote::parse(&bad).map(|note| note.verify(&known).is_ok());
        assert!(!matches!(verified, Ok(true)), "bit {bit}");
    }
}

#[test]
fn what_is_not_a_note_is_refused_for_its_reason() {
    let good = format!("{TEXT}\n{SIGNATURE}");
    assert_eq!(kind(""), Kind::Structure);
    assert_eq!(kind(TEXT), Kind::Structure);
    assert_eq!(kind(&format!("{TEXT}\n")), Kind::Structure);
    assert_eq!(kind(&format!("\n{SIGNATURE}")), Kind::Structure);
    assert_eq!(kind(good.trim_end()), Kind::SignatureLine);
    assert_eq!(kind(&good.replace("\u{2014} ", "- ")), Kind::SignatureLine);
    assert_eq!(kind(&good.replace("\u{2014} ", "\u{2014}\u{a0}")), Kind::SignatureLine);
    assert_eq!(kind(&good.replace("PeterN", "Peter+N")), Kind::SignatureLine);
    assert_eq!(kind(&good.replace("PeterN", "Peter\u{2003}N")), Kind::SignatureLine);
    assert_eq!(kind(&good.replace("PeterNeumann", "")), Kind::SignatureLine);
    assert_eq!(kind(&good.replace("AM=", "AN=")), Kind::SignatureLine, "base64 not canonical");
    assert_eq!(kind(&good.replace("AM=", "AM")), Kind::SignatureLine, "base64 not padded");
    assert_eq!(kind(&good.replace("AM=", "AM= ")), Kind::SignatureLine);
    assert_eq!(
        kind("text\n\n\u{2014} n AAAAAA==\n"),
        Kind::SignatureLine,
        "an id and no signature"
    );
    assert_eq!(kind(&good.replace("think", "th\tink")), Kind::ControlCharacter);
    assert_eq!(kind(&good.replace('\n', "\r\n")), Kind::ControlCharacter);
    let error = SignedNote::parse(b"a\xff\n\n\xe2\x80\x94 n AAAAAAA=\n").unwrap_err();
    assert_eq!((error.kind, error.offset), (Kind::NotUtf8, 1));
    assert_eq!(SignedNote::parse(&vec![b'a'; MAX_NOTE + 1]).unwrap_err().kind, Kind::TooLong);
    let many = |n| format!("text\n\n{}", "\u{2014} n AAAAAAA=\n".repeat(n));
    assert_eq!(SignedNote::parse(many(100).as_bytes()).unwrap().signatures().len(), 100);
    assert_eq!(kind(&many(101)), Kind::TooManySignatures);
    let error = NoteSignature::parse_lines(b"\xe2\x80\x94 n ?\n").unwrap_err();
    assert_eq!((error.offset, error.found.as_str()), (6, "?\\n"));
    assert_eq!(NoteSignature::parse_lines(b"").unwrap_err().kind, Kind::Structure);
    assert_eq!(NoteSignature::parse_lines(SIGNATURE.as_bytes()).unwrap()[0].to_string(), SIGNATURE);
}

#[test]
fn what_is_not_a_key_is_refused_for_its_reason() {
    let parse = |vkey: &str| VerifierKey::parse(vkey).unwrap_err();
    assert!(matches!(parse("PeterNeumann+c74f20a3"), KeyError::Structure { .. }));
    assert_eq!(parse(&VKEY.replace("PeterNeumann", "")), KeyError::Name);
    assert_eq!(parse(&VKEY.replace("Peter", "Peter ")), KeyError::Name);
    assert_eq!(parse(&VKEY.replace("Peter", "Peter\u{1b}")), KeyError::Name);
    assert_eq!(parse(&VKEY.replace("Peter", &"P".repeat(MAX_NAME))), KeyError::Name);
    assert_eq!(parse(&VKEY.replace("c74f20a3", "C74F20A3")), KeyError::IdForm);
    assert_eq!(parse(&VKEY.replace("c74f20a3", "c74f20a")), KeyError::IdForm);
    assert!(matches!(parse(&VKEY.replace("c74f20a3", "c74f20a4")), KeyError::Id { .. }));
    assert!(matches!(parse(&VKEY.replace("Peter", "peter")), KeyError::Id { .. }));
    assert!(matches!(parse(&format!("{VKEY}AAAAAAAA")), KeyError::Length { .. }));
    assert_eq!(parse(&VKEY.replace("0TW", "0T!")), KeyError::Base64);
    assert_eq!(parse(&format!("{VKEY}\n")), KeyError::Base64);
    assert_eq!(parse("n+00000000+AgAA"), KeyError::Type { found: 2 });
    assert_eq!(parse("n+00000000+AQAA"), KeyError::Length { found: 3 });
    assert_eq!(parse("n+00000000+"), KeyError::Length { found: 0 });
    // The neutral point: its signatures are anybody's.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(VerifierKey::new(SignatureType::Ed25519, "n", &neutral), Err(KeyError::Point));
    for text in [
        "",
        "PRIVATE+KEY+",
        VKEY,
        &SKEY[..40],
        &SKEY.replace("a3+", "a4+"),
        &SKEY.replace('I', "J"),
    ] {
        let error = SigningKey::parse(text).unwrap_err().to_string();
        assert!(!error.contains("AYEK"), "{error}");
    }
    assert!(SigningKey::parse(&format!("{SKEY}\n\n")).is_err());
}

#[test]
fn a_private_key_shows_itself_nowhere() {
    let key = SigningKey::parse(SKEY).unwrap();
    let shown = format!("{key:?} {key:#?}");
    assert!(shown.contains(VKEY) && !shown.contains("AYEK") && !shown.contains("129, 10"));
    let line: Zeroizing<String> = key.to_secret_line();
    assert_eq!(line.len(), SKEY.len());
}

#[test]
fn a_cosignature_says_when() {
    let (log, witness) = (key("log.example", 1), cosigner("w.example", 2));
    let mut note = SignedNote::sign("log.example\n7\nroot\n", &log).unwrap();
    note.add_cosignature(&witness, 1_679_315_147).unwrap();
    note.add_cosignature(&witness, 1_600_000_000).unwrap();
    let known = pinned(&[&witness]);
    let verified = note.verify(&known).unwrap();
    // Once, with the latest time.
    assert_eq!(verified, [Verified { key: &known[0], timestamp: Some(1_679_315_147) }]);
    let bytes = note.signatures()[1].bytes();
    assert_eq!(bytes[..8], 1_679_315_147u64.to_be_bytes());
    let message = b"cosignature/v1\ntime 1679315147\nlog.example\n7\nroot\n";
    assert_eq!(cosignature_message(1_679_315_147, note.text()), message);
    assert!(known[0].verify_raw(message, bytes[8..].try_into().unwrap()));
    // Another time, no time, a time beyond 2^63, a signature of the text alone: none is one.
    let forge = |bytes: Vec<u8>| {
        let mut note = SignedNote::sign(note.text(), &log).unwrap();
        note.add(NoteSignature::new("w.example", witness.key_id(), bytes)).unwrap();
        assert!(matches!(note.verify(&known), Err(VerifyError::Invalid { .. })));
    };
    let mut later = bytes.to_vec();
    later[7] ^= 1;
    forge(later);
    forge(bytes[8..].to_vec());
    let late = 1u64 << 63;
    let signature = witness.sign(&cosignature_message(late, note.text())).unwrap();
    forge([late.to_be_bytes().as_slice(), &signature].concat());
    forge(witness.sign(note.text().as_bytes()).unwrap().to_vec());
    assert!(matches!(note.add_cosignature(&witness, late), Err(SignError::Time { .. })));
    assert!(matches!(note.add_cosignature(&log, 1), Err(SignError::Type { expected: 4, .. })));
    assert!(matches!(note.add_signature(&witness), Err(SignError::Type { expected: 1, .. })));
    assert_eq!(note.signatures().len(), 3);
}

/// A device that signs something else, or not at all.
struct Faulty(SigningKey, bool);

impl Signer for Faulty {
    fn verifier_key(&self) -> &VerifierKey {
        self.0.verifier_key()
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignerError> {
        if self.1 { Ok([7; 64]) } else { Err(SignerError::new("the device is away")) }
    }
}

#[test]
fn a_faulty_signer_spoils_nothing() {
    let mut note = SignedNote::sign("text\n", &key("a", 1)).unwrap();
    let before = note.clone();
    let wrong = note.add_signature(&Faulty(key("b", 2), true)).unwrap_err();
    assert!(matches!(wrong, SignError::Wrong { name } if name == "b"));
    let away = note.add_signature(&Faulty(key("b", 2), false)).unwrap_err();
    assert!(
        matches!(away, SignError::Signer { source, .. } if source.to_string().contains("away"))
    );
    assert_eq!(note, before);
    for text in ["", "text", "a\tb\n"] {
        assert!(matches!(SignedNote::sign(text, &key("a", 1)), Err(SignError::Text(_))));
    }
    let full = SignedNote::sign(&format!("{}\n", "a".repeat(MAX_NOTE - 1)), &key("a", 1));
    assert!(matches!(full, Err(SignError::TooMany)));
    while note.signatures().len() < MAX_SIGNATURES {
        note.add_signature(&key("a", 1)).unwrap();
    }
    assert!(matches!(note.add_signature(&key("a", 1)), Err(SignError::TooMany)));
    assert_eq!(SignedNote::parse(note.to_string().as_bytes()).unwrap(), note);
}

proptest! {
    #[test]
    fn whatever_is_signed_is_read_back(
        text in "([ -~äé\u{2014}\u{7f}]{0,30}\n){1,8}", name in "[a-z./ä]{1,20}", seed: [u8; 32], time in 0..=i64::MAX as u64,
    ) {
        let log = SigningKey::from_seed(SignatureType::Ed25519, &name, &seed).unwrap();
        let witness = SigningKey::from_seed(SignatureType::CosignatureV1, &name, &seed).unwrap();
        let mut note = SignedNote::sign(&text, &log).unwrap();
        note.add_cosignature(&witness, time).unwrap();
        let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read, &note);
        let known = pinned(&[&log, &witness]);
        let times: Vec<_> = read.verify(&known).unwrap().iter().map(|by| by.timestamp).collect();
        prop_assert_eq!(times, [None, Some(time)]);
        for key in known {
            prop_assert_eq!(VerifierKey::parse(&key.to_string()).unwrap(), key);
        }
        let line = log.to_secret_line();
        prop_assert_eq!(SigningKey::parse(&line).unwrap().to_secret_line(), line);
    }

    #[test]
    fn any_bytes_are_a_note_of_that_form_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..400usize, at in 0..400usize,
    ) {
        // Bytes alone, and bytes in the middle of a good note.
        let good = QUASIMODO.as_bytes();
        let mixed = [&good[..cut.min(good.len())], &bytes, &good[at.min(good.len())..]].concat();
        for input in [&bytes, &mixed] {
            if let Ok(note) = SignedNote::parse(input) {
                prop_assert_eq!(&note.to_string().into_bytes(), input);
            }
            if let Ok(lines) = NoteSignature::parse_lines(input) {
                let written: String = lines.iter().map(ToString::to_string).collect();
                prop_assert_eq!(&written.into_bytes(), input);
            }
            let text = String::from_utf8_lossy(input);
            if let Ok(key) = VerifierKey::parse(&text) {
                prop_assert_eq!(key.to_string(), text.as_ref());
            }
            prop_assert!(SigningKey::parse(&text).is_err());
        }
    }

    #[test]
    fn keys_with_noise_are_a_key_of_that_form_or_an_error(at in 0..80usize, noise in "[ -~ä]{0,3}") {
        let split = at.min(VKEY.len());
        let text = format!("{}{noise}{}", &VKEY[..split], &VKEY[split..]);
        if let Ok(key) = VerifierKey::parse(&text) {
            prop_assert_eq!(&key.to_string(), &text);
        }
        // A public key in the place of a seed: the id tells.
        let secret = ["PRIVATE+KEY+", &text].concat();
        prop_assert!(SigningKey::parse(&secret).is_err());
    }
}
