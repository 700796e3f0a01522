//! The people who use the service, and those who attack it.
//!
//! What must stay true here: every answer is checked against what it must be, and what is sent is
//! what an attacker sends: raw paths, control characters, forged lines.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use serde_json::json;

use super::DemoError;
use super::http::Client;
use super::service::MAX_FAILURES;

pub(super) const ALICE: (&str, &str) = ("alice", "correct horse battery staple");
pub(super) const BOB: (&str, &str) = ("bob", "tr0ub4dor&3");
/// A token that the attacker hopes is one.
pub(super) const STOLEN: &str = "3f1c-stolen-from-a-laptop-9d2e";
const TRACE: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";

/// User names no log should print as they are.
pub(super) const HOSTILE_NAMES: [&str; 8] = [
    "admin\u{1b}[2J\u{1b}[31mroot",
    "eve\u{202e}nimda",
    "mallory\"},\"result\":\"success\"}\n{\"seq\":0,\"event_type\":\"auth.success\",\"actor\":{\"user_id\":\"alice\"}}",
    "nul\u{0}byte\r\nSet-Cookie: role=admin",
    "al\u{200b}ice",
    "back\u{8}\u{8}\u{8}\u{8}space",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImFkbWluIjp0cnVlfQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
    "'; DROP TABLE users; --",
];

/// Ways out of a directory.
pub(super) const PATHS: [&str; 5] = [
    "/files/../../etc/passwd",
    "/files/%2e%2e/%2e%2e/etc/passwd",
    "/files/..%2f..%2fetc%2fshadow",
    "/files/%252e%252e%252fetc/passwd",
    "/files/%ff%fe/..%5c..%5cboot.ini%00.png",
];

/// How many requests were answered how.
#[derive(Debug, Default)]
pub(super) struct Tally(pub(super) BTreeMap<u16, u64>);

impl Tally {
    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Counts an answer; anything but `status` ends the story.
    fn must(
        &mut self,
        what: &str,
        status: u16,
        answer: io::Result<super::http::Answer>,
    ) -> Result<super::http::Answer, DemoError> {
        let answer = answer.map_err(DemoError::io(format!("ask the service ({what})")))?;
        *self.0.entry(answer.status).or_default() += 1;
        if answer.status == status {
            return Ok(answer);
        }
        let what = format!("{what} was answered {}, not {status}", answer.status);
        Err(DemoError::NotAsTold { what })
    }
}

/// Logs in; gives the token.
pub(super) fn login(
    address: SocketAddr,
    (user, password): (&str, &str),
    tally: &mut Tally,
) -> Result<String, DemoError> {
    let mut client = connect(address)?;
    let body = json!({"user": user, "password": password});
    let answer = tally.must("a login", 200, client.post("/login", &body))?;
    Ok(answer.body["token"].as_str().unwrap_or_default().to_owned())
}

/// A working day: `rounds` times the usual. Gives the ids of the permission changes.
pub(super) fn everyday(
    address: SocketAddr,
    alice: &str,
    bob: &str,
    rounds: u32,
    tally: &mut Tally,
) -> Result<(), DemoError> {
    let (mut alice, mut bob) =
        (connect(address)?.with_token(alice), connect(address)?.with_token(bob));
    for round in 0..rounds {
        tally.must("a task list", 200, bob.send("GET", "/v2/tasks", TRACE, ""))?;
        tally.must("a file", 200, bob.get(&format!("/files/reports/2026-{round}.pdf")))?;
        let amount = json!({"amount_cents": 12_900 + u64::from(round)});
        let invoice = format!("/invoices/inv-{round}/approve");
        tally.must("an approval", 200, bob.post(&invoice, &amount))?;
        let rights = json!({"subject": format!("user-{round}"), "permissions": ["read", "write"]});
        tally.must("a permission", 200, alice.post("/admin/permissions", &rights))?;
    }
    let erase = "/admin/customers/c-17";
    tally.must("a deletion", 200, alice.delete(erase))?;
    Ok(())
}

/// An attack from inside and outside: bob reaches for more than he may, a stranger for everything.
pub(super) fn attack(address: SocketAddr, bob: &str, tally: &mut Tally) -> Result<(), DemoError> {
    let mut bob = connect(address)?.with_token(bob);
    let rights = json!({"subject": "bob", "permissions": ["everything"]});
    tally.must("bob's reach for power", 403, bob.post("/admin/permissions", &rights))?;
    tally.must("bob's deletion", 403, bob.delete("/admin/customers/c-18"))?;
    let mut stranger = connect(address)?;
    for path in PATHS {
        tally.must(path, 400, stranger.get(path))?;
    }
    let mut thief = connect(address)?.with_token(STOLEN);
    for _ in 0..3 {
        tally.must("a stolen token", 401, thief.get("/v2/tasks"))?;
    }
    for user in HOSTILE_NAMES {
        let body = json!({"user": user, "password": "x"});
        tally.must("a hostile name", 401, stranger.post("/login", &body))?;
    }
    let nonsense = stranger.send("POST", "/login", "", "{\"user\": [1, 2");
    tally.must("a login that is none", 401, nonsense)?;
    Ok(())
}

/// Guesses passwords until the service has had enough. Gives how many guesses it took.
pub(super) fn guess(address: SocketAddr, tally: &mut Tally) -> Result<u32, DemoError> {
    let mut stranger = connect(address)?;
    for tried in 1..=MAX_FAILURES + 1 {
        let body = json!({"user": "alice", "password": format!("summer{tried}")});
        let answer = stranger.post("/login", &body).map_err(DemoError::io("guess a password"))?;
        *tally.0.entry(answer.status).or_default() += 1;
        if answer.status == 429 {
            return Ok(tried);
        }
    }
    Err(DemoError::NotAsTold { what: "passwords could be guessed without end".to_owned() })
}

fn connect(address: SocketAddr) -> Result<Client, DemoError> {
    Client::connect(address).map_err(DemoError::io("connect to the service"))
}
