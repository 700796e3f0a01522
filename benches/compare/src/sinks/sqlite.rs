//! SQLite, write-ahead log, `synchronous=FULL`, a row per event.
//!
//! What must stay true here: statements are prepared once; an event in a transaction that is not
//! committed yet counts as acknowledged, for the call returned and the application went on.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::{Acknowledged, Made, SERVICE, Sink, USER};
use crate::Error;

const FILE: &str = "events.db";
/// So that a row is as long as an entry of the trail, whose hashes it has not.
const PADDING: &str = concat!(
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
);
const INSERT: &str = "INSERT INTO events (timestamp, service_id, event_type, user_id, ip, \
    auth_method, path, result, padding) VALUES (?1, ?2, 'auth.success', ?3, ?4, 'api_key', ?5, 'success', ?6)";

/// Producers share one connection, as SQLite has one writer at a time.
pub(super) struct Sqlite {
    state: Mutex<State>,
}

struct State {
    connection: Connection,
    /// Events per commit.
    batch: u64,
    uncommitted: u64,
    ip: String,
}

impl Sqlite {
    pub(super) fn open(dir: &Path, batch: u64) -> Result<Sqlite, Error> {
        let connection = Connection::open(dir.join(FILE))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, timestamp TEXT NOT NULL, \
            service_id TEXT NOT NULL, event_type TEXT NOT NULL, user_id TEXT NOT NULL, \
            ip TEXT, auth_method TEXT, path TEXT, result TEXT NOT NULL, padding TEXT) STRICT",
        )?;
        let ip = std::net::Ipv4Addr::from(super::IP).to_string();
        Ok(Sqlite { state: Mutex::new(State { connection, batch, uncommitted: 0, ip }) })
    }
}

impl State {
    fn commit(&mut self) -> Result<(), Error> {
        if self.uncommitted > 0 {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.uncommitted = 0;
        }
        Ok(())
    }
}

impl Sink for Sqlite {
    fn record(&self, event: &Made) -> Result<(), Error> {
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.batch > 1 && state.uncommitted == 0 {
            state.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        let now = format!("{:.9}", jiff::Timestamp::now());
        let row = params![now, SERVICE, USER, state.ip, event.path, PADDING];
        state.connection.prepare_cached(INSERT)?.execute(row)?;
        if state.batch > 1 {
            state.uncommitted += 1;
            if state.uncommitted == state.batch {
                state.commit()?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.commit()?;
        state.connection.close().map_err(|(_, error)| error.into())
    }
}

/// Opening recovers what the killed process left.
pub(super) fn find(dir: &Path, acknowledged: &Acknowledged) -> Result<u64, Error> {
    let connection = Connection::open(dir.join(FILE))?;
    let mut rows = connection.prepare("SELECT DISTINCT path FROM events")?;
    let mut found = 0;
    for path in rows.query_map([], |row| row.get::<_, String>(0))? {
        let path = path?;
        let number = path.strip_prefix("/t/").ok_or("a path is not as it was made")?;
        found += u64::from(acknowledged.holds(number.parse()?));
    }
    Ok(found)
}
