//! Every status of C2SP tlog-witness, and what may not be shared.

use audit_collector::WitnessError;
use audit_core::chain::Hash;
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::{NoteSignature, SignatureType, Signer, SigningKey};
use audit_core::tree::{Frontier, consistency_proof, empty_root, leaf_hash};

use super::*;

const ORIGIN: &str = "log.example/one";

/// A log in memory.
struct Log {
    key: SigningKey,
    stored: Vec<Hash>,
    roots: Vec<Hash>,
}

impl Log {
    fn new() -> Log {
        let key = SigningKey::from_seed(SignatureType::Ed25519, ORIGIN, &[1; 32]).unwrap();
        let (mut tree, mut stored) = (Frontier::new(), Vec::new());
        let mut roots = vec![empty_root()];
        for n in 0..40u8 {
            tree.push_with(leaf_hash(&[n]), |hash| stored.push(hash));
            roots.push(tree.root());
        }
        Log { key, stored, roots }
    }

    fn at(&self, size: u64) -> SignedCheckpoint {
        let root = self.roots[usize::try_from(size).unwrap()];
        Checkpoint::new(ORIGIN, size, root).sign(&self.key).unwrap()
    }

    fn request(&self, old: u64, new: u64) -> String {
        let read = |at| Ok::<_, ()>(self.stored[usize::try_from(at).unwrap()]);
        let proof = consistency_proof(old.min(new), new, read).unwrap();
        body(old, &proof, &self.at(new))
    }
}

fn body(old: u64, proof: &[Hash], checkpoint: &SignedCheckpoint) -> String {
    use base64ct::{Base64, Encoding};
    let proof: String = proof.iter().map(|h| Base64::encode_string(&h.0) + "\n").collect();
    format!("old {old}\n{proof}\n{checkpoint}")
}

fn post(server: &Server, path: &str, body: &str) -> (u16, String, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut response = agent.post(format!("{}/{path}", server.url)).send(body).unwrap();
    let kind = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, kind.unwrap_or_default(), response.body_mut().read_to_string().unwrap())
}

#[test]
fn every_status() {
    let temp = tempfile::tempdir().unwrap();
    let log = Log::new();
    let (server, key) = witness(temp.path(), &[log.key.verifier_key().clone()]);
    let add = |body: &str| post(&server, "add-checkpoint", body);
    let status = |body: &str| add(body).0;

    for bad in ["", "old 0\n\n", "old 01\n\nx\n", &log.request(0, 3).replace("old", "new")] {
        assert_eq!(status(bad), 400, "{bad}");
    }
    assert_eq!(status(&"x".repeat(100_000)), 413);
    // An empty tree is one, and has one root.
    let mut empty = Checkpoint::new(ORIGIN, 0, Hash([3; 32]));
    assert_eq!(status(&body(0, &[], &empty.sign(&log.key).unwrap())), 422);
    empty.root = empty_root();
    assert_eq!(status(&body(0, &[], &empty.sign(&log.key).unwrap())), 200);

    let (code, _, lines) = add(&log.request(0, 7));
    assert_eq!(code, 200);
    let signatures = NoteSignature::parse_lines(lines.as_bytes()).unwrap();
    let mut note = log.at(7);
    note.add(signatures[0].clone()).unwrap();
    let by = note.verify_cosignatures(std::slice::from_ref(&key)).unwrap();
    assert!(by[0].timestamp.unwrap() > 1_600_000_000 && signatures.len() == 1);

    // Unknown origin; a stranger's signature; a known key's false one.
    let other = SigningKey::from_seed(SignatureType::Ed25519, "log.example/two", &[1; 32]).unwrap();
    let two = Checkpoint::new("log.example/two", 3, log.roots[3]).sign(&other).unwrap();
    assert_eq!(status(&body(0, &[], &two)), 404);
    let thief = SigningKey::from_seed(SignatureType::Ed25519, ORIGIN, &[2; 32]).unwrap();
    let stolen = Checkpoint::new(ORIGIN, 9, log.roots[9]).sign(&thief).unwrap();
    assert_eq!(status(&body(7, &[], &stolen)), 403);
    let spoilt = log.request(7, 9).replace("\n9\n", "\n10\n");
    assert_eq!(status(&spoilt), 403);

    assert_eq!(status(&log.request(9, 8)), 400);
    for old in [0, 5, 8] {
        let answer = add(&log.request(old, 20));
        let expected = (409, "text/x.tlog.size".to_owned(), "7\n".to_owned());
        assert_eq!(answer, expected);
    }
    assert_eq!(
        status(
            &log.request(7, 20)
                .replace("old 7\n", "old 7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
        ),
        422
    );
    assert_eq!(status(&body(7, &[], &log.at(20))), 422);
    let fork = Checkpoint::new(ORIGIN, 7, Hash([9; 32])).sign(&log.key).unwrap();
    assert_eq!(status(&body(7, &[], &fork)), 422);
    // Signed twice: kept as evidence.
    let mut kept = std::fs::read_dir(temp.path()).unwrap().map(|i| i.unwrap().path());
    let kept = kept.find(|path| path.extension().is_some_and(|e| e == "fork")).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), fork.to_string());

    // The same again is cosigned again; then on, with signatures of strangers, which are dropped.
    assert_eq!(status(&log.request(7, 7)), 200);
    let mut signed = log.request(7, 20);
    for n in 0..20 {
        signed.push_str(&format!("\u{2014} stranger{n} AAAAAAAAAAAAAAAB\n"));
    }
    assert_eq!(status(&signed), 200);
    let hash: Hash = {
        use sha2::Digest;
        Hash(sha2::Sha256::digest(ORIGIN).into())
    };
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let mut last = agent.get(format!("{}/{hash}/checkpoint", server.url)).call().unwrap();
    let last = SignedCheckpoint::parse(&last.body_mut().read_to_vec().unwrap()).unwrap();
    assert_eq!((last.unverified().size, last.note().signatures().len()), (20, 2));
    last.verify(log.key.verifier_key()).unwrap();
    assert!(agent.get(format!("{}/{}/checkpoint", server.url, "0".repeat(64))).call().is_err());
}

#[test]
fn racing_requests_never_roll_back() {
    let temp = tempfile::tempdir().unwrap();
    let log = Log::new();
    let (server, _) = witness(temp.path(), &[log.key.verifier_key().clone()]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut size = 0;
                for new in 1..=40 {
                    if new < size {
                        continue;
                    }
                    let (code, _, text) = post(&server, "add-checkpoint", &log.request(size, new));
                    let seen = if code == 200 { new } else { text.trim().parse().unwrap() };
                    assert!(code == 200 || code == 409, "{code}");
                    assert!(seen >= size, "{seen} after {size}");
                    size = seen;
                }
            });
        }
    });
    assert_eq!(post(&server, "add-checkpoint", &log.request(0, 40)).2, "40\n");
}

#[test]
fn a_state_is_not_shared_and_not_made_up() {
    let temp = tempfile::tempdir().unwrap();
    let log = Log::new();
    let config = || WitnessConfig {
        state: temp.path().join("state"),
        name: Some("witness.example/w1".to_owned()),
        logs: vec![log.key.verifier_key().clone()],
    };
    let first = Witness::open(config()).unwrap();
    assert!(matches!(Witness::open(config()), Err(WitnessError::Locked(_))));
    assert_eq!(first.key().name(), "witness.example/w1");
    let server = Server::start(witness::router(Arc::new(first)));
    assert_eq!(post(&server, "add-checkpoint", &log.request(0, 9)).0, 200);
    drop(server);
    let renamed = WitnessConfig { name: Some("witness.example/w2".to_owned()), ..config() };
    assert!(matches!(Witness::open(renamed), Err(WitnessError::OtherName { .. })));

    let path = |name: &str| temp.path().join("state").join(name);
    let key = std::fs::read(path("witness.key")).unwrap();
    std::fs::remove_file(path("witness.key")).unwrap();
    assert!(matches!(Witness::open(config()), Err(WitnessError::KeyMissing(_))));
    std::fs::write(path("witness.key"), &key).unwrap();
    assert!(matches!(Witness::open(config()), Err(WitnessError::Insecure(_))));
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path("witness.key"), owner).unwrap();
    drop(Witness::open(config()).unwrap());

    let mut files = std::fs::read_dir(path("")).unwrap().map(|item| item.unwrap().path());
    let file = files.find(|p| p.extension().is_some_and(|e| e == "log")).unwrap();
    let whole = std::fs::read(&file).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let opened = Witness::open(config());
        assert!(matches!(opened, Err(WitnessError::DamagedState(_))), "{cut}: {opened:?}");
    }
}

#[test]
fn nobody_can_hold_a_connection_by_sending_slowly() {
    use std::io::{Read, Write};
    let temp = tempfile::tempdir().unwrap();
    let log = Log::new();
    let config = WitnessConfig {
        state: temp.path().to_owned(),
        name: None,
        logs: vec![log.key.verifier_key().clone()],
    };
    let short = Duration::from_millis(50);
    let limits = Limits { connections: 1, header: short, request: short, ..Limits::default() };
    let router = witness::router(Arc::new(Witness::open(config).unwrap()));
    let server = Server::limited(router, limits);
    let address = server.url.trim_start_matches("http://");
    let whole = "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nold";
    for part in ["", "POST /add", whole] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(part.as_bytes()).unwrap();
        // Ends, and the one place is free again.
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        assert!(part != whole || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert_eq!(post(&server, "add-checkpoint", &log.request(0, 3)).0, 200);
}
