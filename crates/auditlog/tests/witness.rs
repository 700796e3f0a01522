//! The commands `witness`, `witness-sync` and `serve-tiles` as processes: exit codes, a witness
//! killed at any moment, graceful shutdown.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up must fail")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use audit_core::chain::Hash;
use audit_core::checkpoint::Checkpoint;
use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_core::tree::{Frontier, consistency_proof, leaf_hash};
use base64ct::{Base64, Encoding};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn auditlog(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditlog"));
    command.args(args);
    command
}

/// A server process; killed when dropped.
struct Process {
    child: Child,
    address: String,
    key: String,
}

impl Process {
    fn start(args: &[&str]) -> Process {
        let mut command = auditlog(args);
        let mut child = command.arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let address = told["listening"].as_str().unwrap().to_owned();
        let key = told["key"].as_str().unwrap_or_default().to_owned();
        Process { child, address, key }
    }

    fn terminate(mut self) -> i32 {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Status and body; `None` if the server went away meanwhile.
fn http(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

#[test]
fn killed_at_any_moment_a_witness_never_goes_back() {
    const ORIGIN: &str = "log.example/killed";
    const ROUNDS: u32 = 25;
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("w").display().to_string();
    let key = SigningKey::from_seed(SignatureType::Ed25519, ORIGIN, &[1; 32]).unwrap();
    let vkey = key.verifier_key().to_string();
    let (mut tree, mut stored, mut roots) = (Frontier::new(), Vec::new(), vec![Hash::ZERO]);
    for n in 0..20_000u32 {
        tree.push_with(leaf_hash(&n.to_be_bytes()), |hash| stored.push(hash));
        roots.push(tree.root());
    }
    let request = |old: u64, new: u64| {
        let read = |at| Ok::<_, ()>(stored[usize::try_from(at).unwrap()]);
        let proof = consistency_proof(old, new, read).unwrap();
        let root = roots[usize::try_from(new).unwrap()];
        let note = Checkpoint::new(ORIGIN, new, root).sign(&key).unwrap();
        let proof: String =
            proof.iter().map(|hash| Base64::encode_string(&hash.0) + "\n").collect();
        format!("old {old}\n{proof}\n{note}")
    };
    // What was answered with 200, and what may have been stored without an answer.
    let (mut told, mut sent) = (0u64, 0u64);
    let mut name = None;
    for round in 0..ROUNDS {
        let witness = Process::start(&[
            "witness",
            "--listen",
            "127.0.0.1:0",
            "--state",
            &state,
            "--log",
            &vkey,
        ]);
        assert_eq!(*name.get_or_insert_with(|| witness.key.clone()), witness.key);
        // From a size it cannot have: it answers with the one it has.
        let (status, body) =
            http(&witness.address, "POST", "add-checkpoint", &request(20_000, 20_000)).unwrap();
        assert_eq!(status, 409, "{body}");
        let mut size: u64 = body.trim().parse().unwrap();
        assert!(
            size >= told && size <= sent,
            "round {round}: {told} told, {sent} sent, {size} there"
        );
        let pid = Pid::from_child(&witness.child);
        // A random moment within the requests that follow; nothing depends on which.
        let mut random = [0; 2];
        std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
        let pause = std::time::Duration::from_micros(u64::from(u16::from_be_bytes(random)));
        let killer = std::thread::spawn(move || {
            std::thread::park_timeout(pause);
            kill_process(pid, Signal::KILL).unwrap();
        });
        loop {
            let next = size + 1;
            sent = sent.max(next);
            match http(&witness.address, "POST", "add-checkpoint", &request(size, next)) {
                Some((200, _)) => (told, size) = (next, next),
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        killer.join().unwrap();
    }
    assert!(told > u64::from(ROUNDS), "{told}");
}

fn run(args: &[&str]) -> Output {
    auditlog(args).output().unwrap()
}

fn emit(dir: &str, count: usize) {
    let mut child =
        auditlog(&["emit", dir]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let line = "{\"event_type\":\"tasks.read\",\"result\":\"success\"}\n".repeat(count);
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[test]
fn exit_codes_and_a_rollback_on_the_command_line() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).display().to_string();
    let dir = path("trail");
    assert!(run(&["init", &dir, "--service", "billing-api"]).status.success());
    emit(&dir, 10);
    let info: Value =
        serde_json::from_slice(&std::fs::read(PathBuf::from(&dir).join("trail.json")).unwrap())
            .unwrap();
    let vkey = info["initial_key"].as_str().unwrap();
    let witness = Process::start(&[
        "witness",
        "--listen",
        "127.0.0.1:0",
        "--state",
        &path("w"),
        "--log",
        vkey,
    ]);
    let policy = path("policy");
    let text = format!("witness w1 {} http://{}\nquorum w1\n", witness.key, witness.address);
    std::fs::write(&policy, text).unwrap();
    let sync = |dir: &str| run(&["witness-sync", dir, "--policy", &policy, "--json"]);
    let first = sync(&dir);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let report: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(report["witnesses"][0]["outcome"], "cosigned");
    copy(Path::new(&dir), Path::new(&path("backup")));
    emit(&dir, 10);
    assert_eq!(sync(&dir).status.code(), Some(0));
    let rolled = sync(&path("backup"));
    assert_eq!(rolled.status.code(), Some(1), "{rolled:?}");
    let report: Value = serde_json::from_slice(&rolled.stdout).unwrap();
    assert_eq!(report["witnesses"][0]["outcome"], "rollback");
    assert_eq!(report["witnesses"][0]["evidence"]["signed_by_log"], true);
    assert_eq!(witness.terminate(), 0);
    assert_eq!(sync(&dir).status.code(), Some(3));
    assert_eq!(sync(&path("nowhere")).status.code(), Some(2));

    let tiles = Process::start(&["serve-tiles", &dir, "--listen", "127.0.0.1:0"]);
    let note = std::fs::read_to_string(PathBuf::from(&dir).join("checkpoint")).unwrap();
    assert_eq!(http(&tiles.address, "GET", "checkpoint", ""), Some((200, note)));
    assert_eq!(http(&tiles.address, "POST", "checkpoint", "").unwrap().0, 405);
    assert_eq!(tiles.terminate(), 0);
}
