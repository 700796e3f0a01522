//! SQLite, write-ahead log, `synchronous=FULL`, a row per event.
//!
//! What must stay true here: statements are prepared once; an event in a transaction that is not
//! committed yet counts as acknowledged, for the call returned and the application went on.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Made, SERVICE, Sink, USER};
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

pub(super) struct Sqlite {
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
        Ok(Sqlite { connection, batch, uncommitted: 0, ip })
    }

    fn commit(&mut self) -> Result<(), Error> {
        if self.uncommitted > 0 {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.uncommitted = 0;
        }
        Ok(())
    }
}

impl Sink for Sqlite {
    fn record(&mut self, event: &Made) -> Result<(), Error> {
        if self.batch > 1 && self.uncommitted == 0 {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        let now = format!("{:.9}", jiff::Timestamp::now());
        let row = params![now, SERVICE, USER, self.ip, event.path, PADDING];
        self.connection.prepare_cached(INSERT)?.execute(row)?;
        if self.batch > 1 {
            self.uncommitted += 1;
            if self.uncommitted == self.batch {
                self.commit()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.commit()?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

/// Opening recovers what the killed process left.
pub(super) fn find(dir: &Path, acknowledged: u64) -> Result<u64, Error> {
    let connection = Connection::open(dir.join(FILE))?;
    let last = format!("/t/{acknowledged:08}");
    let count = "SELECT count(DISTINCT path) FROM events WHERE path < ?1";
    Ok(connection.query_row(count, [last], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
