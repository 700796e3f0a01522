//! The demonstration's service, in this process, asked over real connections.
//!
//! What must stay true here: every assertion is about the trail on disk, read by `audit-reader`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../src/demo/http.rs"]
mod http;
#[path = "../src/demo/service/mod.rs"]
mod service;

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;

use audit_logging::{AuditConfig, AuditLogger, AuditMode};
use audit_reader::{DirSource, Step, TrailReader, Verdict, VerifyOptions, verify_dir};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use http::Client;

struct Running {
    dir: TempDir,
    audit: AuditLogger,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    fn start() -> Running {
        let dir = TempDir::new().unwrap();
        let mode = AuditMode::Local { base_dir: dir.path().join("trail") };
        let audit = AuditLogger::new(AuditConfig { mode, ..AuditConfig::new("shop") }).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let logger = audit.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let asked = async { drop(stopped.await) };
                tokio::select! {
                    served = service::serve(listener, logger, asked) => served.unwrap(),
                    signal = service::stop_signal() => panic!("a signal: {signal:?}"),
                }
            });
        });
        let address = told.recv().unwrap();
        Running { dir, audit, address, stop, thread }
    }

    fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    fn login(&self, user: &str, password: &str) -> String {
        let body = json!({"user": user, "password": password});
        let answer = self.client().post("/login", &body).unwrap();
        assert_eq!(answer.status, 200);
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// Stops the service; gives the entries that are not the writer's own, and the whole text.
    fn stop(self) -> (Vec<Value>, String) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
        let trail = self.dir.path().join("trail");
        let report = verify_dir(&trail, VerifyOptions::default()).unwrap();
        assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
        let entries = entries(&trail);
        assert_eq!(entries.last().unwrap()["event_type"], "audit.closed");
        let text = serde_json::to_string(&entries).unwrap();
        let own = |entry: &Value| entry["event_type"].as_str().unwrap().starts_with("audit.");
        (entries.into_iter().filter(|entry| !own(entry)).collect(), text)
    }
}

fn entries(trail: &Path) -> Vec<Value> {
    let mut reader = TrailReader::new(DirSource::open(trail).unwrap());
    let mut entries = Vec::new();
    loop {
        match reader.step().unwrap() {
            Step::Line(_, line) => entries.push(serde_json::from_slice(line.bytes).unwrap()),
            Step::CaughtUp => return entries,
            other => assert!(matches!(other, Step::SegmentEnd(_)), "{other:?}"),
        }
    }
}

fn types(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["event_type"].as_str().unwrap()).collect()
}

const PASSWORD: &str = "correct horse battery staple";

#[test]
fn each_request_leaves_its_entry() {
    let service = Running::start();
    let token = service.login("alice", PASSWORD);
    let mut alice = service.client().with_token(&token);
    let traced = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
                  x-request-id: r-1\r\n";
    assert_eq!(alice.send("GET", "/v2/tasks", traced, "").unwrap().status, 200);
    assert_eq!(alice.get("/files/a/b.pdf").unwrap().status, 200);
    let amount = json!({"amount_cents": 4_200});
    assert_eq!(alice.post("/invoices/inv-7/approve", &amount).unwrap().status, 200);
    let rights = json!({"subject": "bob", "permissions": ["read"]});
    assert_eq!(alice.post("/admin/permissions", &rights).unwrap().status, 200);
    let deleted = alice.delete("/admin/customers/c-17").unwrap();
    assert_eq!(deleted.status, 200);
    let (entries, text) = service.stop();

    let expected = [
        "auth.success",
        "authz.granted",
        "authz.granted",
        "invoice.approved",
        "authz.granted",
        "authz.permission_changed",
        "authz.granted",
        "data.deleted",
    ];
    assert_eq!(types(&entries), expected);
    assert_eq!(entries[0]["actor"]["user_id"], "alice");
    assert_eq!(entries[0]["actor"]["auth_method"], "password");
    // The session is the token's fingerprint, and ties the entries of one session together.
    let session = &entries[0]["actor"]["session_id"];
    assert!(session.as_str().unwrap().starts_with("fp:"));
    assert_eq!(session, &entries[1]["actor"]["session_id"]);
    let context = json!({"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7", "request_id": "r-1"});
    assert_eq!(entries[1]["context"], context);
    assert_eq!(entries[2]["resource"]["resource_id"], "a/b.pdf");
    assert_eq!(entries[3]["critical"], true);
    assert_eq!(entries[3]["resource"]["resource_id"], "inv-7");
    assert_eq!(entries[3]["details"], json!({"amount_cents": 4_200}));
    assert_eq!(entries[5]["details"]["new_permissions"], json!(["read"]));
    // The two entries of one request share its id, and the answer names the second.
    assert_eq!(entries[6]["context"], entries[7]["context"]);
    assert_eq!(entries[7]["audit_id"], deleted.body["audit_id"]);
    assert!(!text.contains(&token) && !text.contains(PASSWORD));
}

#[test]
fn attacks_are_refused_and_recorded_as_they_came() {
    let service = Running::start();
    let bob = service.login("bob", "tr0ub4dor&3");
    let mut bob = service.client().with_token(&bob);
    let rights = json!({"subject": "bob", "permissions": ["everything"]});
    assert_eq!(bob.post("/admin/permissions", &rights).unwrap().status, 403);
    assert_eq!(bob.delete("/admin/customers/c-1").unwrap().status, 403);
    assert_eq!(bob.get("/files/../../etc/passwd").unwrap().status, 400);
    let mut stranger = service.client();
    assert_eq!(stranger.get("/files/%2e%2e/etc/shadow").unwrap().status, 400);
    assert_eq!(stranger.get("/files/%ff/..%5cx").unwrap().status, 400);
    let mut thief = service.client().with_token("stolen-token-0815");
    assert_eq!(thief.get("/v2/tasks").unwrap().status, 401);
    let name = "mal\u{1b}[2J\u{202e}\n{\"seq\":0}";
    let body = json!({"user": name, "password": "x"});
    assert_eq!(stranger.post("/login", &body).unwrap().status, 401);
    let broken = stranger.send("POST", "/login", "", "{\"user\":").unwrap();
    assert_eq!(broken.status, 401);
    let (entries, text) = service.stop();

    let expected = [
        "auth.success",
        "authz.denied",
        "authz.denied",
        "security.path_traversal_attempt",
        "security.path_traversal_attempt",
        "security.path_traversal_attempt",
        "security.invalid_token_used",
        "auth.failure",
        "auth.failure",
    ];
    assert_eq!(types(&entries), expected);
    assert_eq!(entries[1]["actor"]["user_id"], "bob");
    assert_eq!(entries[3]["actor"]["user_id"], "bob");
    assert_eq!(entries[3]["details"]["attempted_path"], "../../etc/passwd");
    assert_eq!(entries[4]["actor"]["user_id"], "anonymous");
    assert_eq!(entries[4]["details"]["attempted_path"], "../etc/shadow");
    assert_eq!(entries[5]["details"]["attempted_path"], "/files/%ff/..%5cx");
    let prefix = entries[6]["details"]["token_prefix"].as_str().unwrap();
    assert!(prefix.starts_with("fp:") && prefix.len() == 8, "{prefix}");
    assert!(!text.contains("stolen-token"));
    assert_eq!(entries[7]["actor"]["user_id"], r#"mal\u{1b}[2J\u{202e}\u{a}{"seq":0}"#);
    assert_eq!(entries[8]["actor"]["user_id"], "unknown");
    assert!(entries.iter().skip(3).all(|entry| entry["critical"] == true));
}

#[test]
fn guessing_ends() {
    let service = Running::start();
    let mut client = service.client();
    let body = json!({"user": "alice", "password": "guess"});
    for _ in 0..service::MAX_FAILURES {
        assert_eq!(client.post("/login", &body).unwrap().status, 401);
    }
    assert_eq!(client.post("/login", &body).unwrap().status, 429);
    let (entries, _) = service.stop();
    let last = entries.last().unwrap();
    assert_eq!(last["event_type"], "security.rate_limit_exceeded");
    assert_eq!(last["details"]["limit"], service::MAX_FAILURES);
}

#[test]
fn what_cannot_be_audited_is_not_done() {
    let service = Running::start();
    let token = service.login("alice", PASSWORD);
    service.audit.shutdown_blocking().unwrap();
    let mut alice = service.client().with_token(&token);
    let answer = alice.delete("/admin/customers/c-17").unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["error"], "cannot be recorded now");
    let rights = json!({"subject": "bob", "permissions": ["read"]});
    assert_eq!(alice.post("/admin/permissions", &rights).unwrap().status, 503);
    let body = json!({"user": "alice", "password": PASSWORD});
    assert_eq!(service.client().post("/login", &body).unwrap().status, 503);
    let (entries, _) = service.stop();
    assert_eq!(types(&entries), ["auth.success"]);
}
