//! Tokens, through the library: rules that openssl holds too, and every bit of a token.

use audit_shipper::timestamp::{Roots, Stamp, TokenError, verify_response};

use crate::authority::{Authority, openssl};

const BYTES: &[u8] = b"billing-api/1\n5\nAAAA\n\nsignature\n";

fn roots(authority: &Authority, name: &str) -> Roots {
    Roots::from_pem(&std::fs::read(authority.path(name)).unwrap()).unwrap()
}

/// Whether it is the right fault.
type Fault = fn(&TokenError) -> bool;

/// What openssl says of a response over [`BYTES`].
fn openssl_says(authority: &Authority, response: &[u8]) -> Result<String, String> {
    std::fs::write(authority.path("judged.data"), BYTES).unwrap();
    std::fs::write(authority.path("judged.tsr"), response).unwrap();
    let args = "ts -verify -data judged.data -in judged.tsr -CAfile root.pem";
    openssl(authority.dir.path(), args)
}

#[test]
fn a_certificate_must_be_for_time_stamps_then_and_there() {
    let Some(authority) = Authority::start() else { return };
    let root = roots(&authority, "root.pem");
    // The authority's name is not in this one.
    let response = authority.response("ec-sha384-sha512", BYTES);
    let signed = |options: &str| authority.signed_by(&response, options);
    let judged = |response: &[u8]| verify_response(response, BYTES, &root);

    // The way these are made is sound: the same with the right certificate holds.
    let good = signed("-cades -signer rsa.pem -inkey rsa.key");
    openssl_says(&authority, &good).unwrap();
    assert_eq!(judged(&good).unwrap().authority, "CN=Test-rsa");
    let by_key = signed("-cades -keyid -signer rsa.pem -inkey rsa.key");
    assert!(judged(&by_key).is_ok());
    let pss = signed(
        "-cades -signer rsa.pem -inkey rsa.key -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32",
    );
    assert!(judged(&pss).is_ok(), "{:?}", judged(&pss));

    let cases: [(&str, &str, Fault); 8] = [
        ("not critical", "-cades -signer lax.pem -inkey lax.key", |e| {
            matches!(e, TokenError::Usage(_))
        }),
        ("another usage", "-cades -signer server.pem -inkey server.key", |e| {
            matches!(e, TokenError::Usage(_))
        }),
        ("expired", "-cades -signer expired.pem -inkey expired.key", |e| {
            matches!(e, TokenError::Path(_))
        }),
        ("a root itself", "-cades -signer other.pem -inkey other.key", |e| {
            matches!(e, TokenError::Usage(_))
        }),
        (
            "two signers",
            "-cades -signer rsa.pem -inkey rsa.key -signer ec.pem -inkey ec.key",
            |e| matches!(e, TokenError::Rule(_)),
        ),
        ("certificate not named", "-signer rsa.pem -inkey rsa.key", |e| {
            matches!(e, TokenError::Rule(_))
        }),
        ("no certificate", "-cades -nocerts -signer rsa.pem -inkey rsa.key", |e| {
            matches!(e, TokenError::Certificate)
        }),
        ("no attributes", "-noattr -signer rsa.pem -inkey rsa.key", |e| {
            matches!(e, TokenError::Rule(_))
        }),
    ];
    for (what, options, is_right) in cases {
        let response = signed(options);
        let error = judged(&response).unwrap_err();
        assert!(is_right(&error), "{what}: {error}");
        let theirs = openssl_says(&authority, &response);
        assert!(theirs.is_err(), "{what}: openssl accepts it");
    }
    let named = authority.response("ec-sha256-sha256", BYTES);
    let misnamed = authority.signed_by(&named, "-cades -signer rsa.pem -inkey rsa.key");
    assert!(matches!(judged(&misnamed), Err(TokenError::Rule(_))), "{:?}", judged(&misnamed));
    openssl_says(&authority, &misnamed).unwrap_err();
    let error = verify_response(&response, BYTES, &roots(&authority, "other.pem")).unwrap_err();
    assert!(matches!(error, TokenError::Path(_)) && !error.is_contradiction(), "{error}");
    // Whoever trusts the authority in between needs no root.
    assert!(verify_response(&response, BYTES, &roots(&authority, "middle.pem")).is_ok());
}

/// Every bit: what is accepted says the very same.
fn flip_all(response: &[u8], root: &Roots, whole: &Stamp) -> (usize, Vec<usize>) {
    let (mut refused, mut same) = (0, Vec::new());
    let mut bytes = response.to_vec();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        match verify_response(&bytes, BYTES, root) {
            Ok(stamp) => {
                assert_eq!(&stamp, whole, "bit {bit} changes what is said");
                same.push(bit);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    (refused, same)
}

#[test]
fn no_bit_of_a_token_changes_what_it_says() {
    let Some(authority) = Authority::start() else { return };
    let root = roots(&authority, "root.pem");
    // The one with RSA, which verifies fastest, and hashes by SHA-1; the one with an authority in between.
    for section in ["rsa-sha512-sha1", "ec-sha256-sha256"] {
        let response = authority.response(section, BYTES);
        openssl_says(&authority, &response).unwrap();
        let whole = verify_response(&response, BYTES, &root).unwrap();
        let (refused, same) = flip_all(&response, &root, &whole);
        println!("{section}: {refused} refused, {} say the same", same.len());
        // Numbers of versions, and "granted" for "granted with modifications": openssl does not mind either.
        for bit in &same {
            let mut bytes = response.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            openssl_says(&authority, &bytes).unwrap();
        }
        assert!(same.len() * 500 < refused, "{} bits are not looked at", same.len());
        assert!(
            (0..response.len())
                .all(|end| { verify_response(&response[..end], BYTES, &root).is_err() })
        );
        let more = [&response[..], b"\0"].concat();
        assert!(verify_response(&more, BYTES, &root).is_err());
        assert_eq!(verify_response(&response, b"others", &root), Err(TokenError::OtherBytes));
    }
}

#[test]
fn garbage_is_refused() {
    let Some(authority) = Authority::start() else { return };
    let root = roots(&authority, "root.pem");
    let response = authority.response("rsa-sha256-sha256", BYTES);
    let mut seed: u64 = 0x5eed_3161;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap()
    };
    let whole = verify_response(&response, BYTES, &root);
    for _ in 0..4_000 {
        // Pieces of a token in the wrong places keep the parser busy longer than noise does.
        let mut bytes = response.clone();
        for _ in 0..=next() % 3 {
            let (from, to) = (next() % bytes.len(), next() % bytes.len());
            let length = next() % (bytes.len() - from.max(to)).min(64);
            bytes.copy_within(from..from + length, to);
        }
        if bytes != response {
            let stamp = verify_response(&bytes, BYTES, &root);
            assert!(stamp.is_err() || stamp == whole, "seed 0x5eed3161: {stamp:?}");
        }
    }
}
