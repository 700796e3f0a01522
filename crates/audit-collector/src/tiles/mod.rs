//! A trail over HTTP as C2SP tlog-tiles: `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`.
//!
//! What must stay true here: read-only, and no path of a request is ever a path of a file. Nothing
//! beyond the published checkpoint is served, and no tile or entry that does not lead to its root:
//! what is served once as immutable can never have been wrong. Memory is bounded.

mod entries;
mod hashes;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use audit_core::chain::Hash;
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::MAX_NOTE;
use audit_core::tile::{Tile, TileKind};
use audit_reader::{DirSource, ReadError};
use audit_shipper::tree::{TREE_HASHES, stored_leads_to};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use entries::Places;

/// As many tiles are in memory at a time; a bundle of the longest entries is 16 MiB.
const IN_MEMORY: usize = 16;
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A trail to be served.
#[derive(Debug)]
pub struct Tiles {
    source: DirSource,
    places: Mutex<Places>,
    /// The last checkpoint that was looked at and that the stored hashes lead to.
    head: Mutex<Option<Arc<Head>>>,
    memory: Arc<Semaphore>,
}

/// The published checkpoint, as far as a server needs it.
#[derive(Debug)]
struct Head {
    note: Vec<u8>,
    size: u64,
    root: Hash,
}

/// Why something is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum No {
    /// There is no such thing, or not yet, or no more.
    NotThere,
    /// No checkpoint, or `tree.hashes` is missing or behind: the writer makes it anew.
    NotReady,
    /// Entries or hashes do not lead to the root, or cannot be read.
    Damaged,
}

impl From<ReadError> for No {
    fn from(_: ReadError) -> No {
        No::Damaged
    }
}

impl Tiles {
    /// Opens a trail directory.
    ///
    /// # Errors
    /// [`ReadError`] when it is none.
    pub fn open(dir: &Path) -> Result<Tiles, ReadError> {
        let source = DirSource::open(dir)?;
        let memory = Arc::new(Semaphore::new(IN_MEMORY));
        Ok(Tiles { source, places: Mutex::default(), head: Mutex::new(None), memory })
    }

    /// The checkpoint as it stands, if the stored hashes lead to it.
    fn head(&self) -> Result<Arc<Head>, No> {
        let mut note = Vec::new();
        let file = File::open(self.source.path().join("checkpoint")).map_err(|_| No::NotReady)?;
        file.take(MAX_NOTE as u64 + 1).read_to_end(&mut note).map_err(|_| No::NotReady)?;
        let mut known = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(head) = known.as_ref().filter(|head| head.note == note) {
            return Ok(head.clone());
        }
        let stated = SignedCheckpoint::parse(&note).map_err(|_| No::Damaged)?;
        let (size, root) = (stated.unverified().size, stated.unverified().root);
        if !stored_leads_to(self.source.path(), size, &root) {
            return Err(No::NotReady);
        }
        let head = Arc::new(Head { note, size, root });
        *known = Some(head.clone());
        Ok(head)
    }

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, No> {
        let head = self.head()?;
        if !tile.is_in(head.size) {
            return Err(No::NotThere);
        }
        let level = match tile.kind {
            TileKind::Hashes { level } => level,
            TileKind::Entries => 0,
        };
        let file = File::open(self.source.path().join(TREE_HASHES)).map_err(|_| No::NotReady)?;
        let mut hashes = hashes::verified(&file, level, tile.index, head.size, &head.root)?;
        hashes.truncate(usize::from(tile.width));
        match tile.kind {
            TileKind::Hashes { .. } => Ok(hashes.iter().flat_map(|hash| hash.0).collect()),
            TileKind::Entries => self.bundle(tile, &hashes),
        }
    }
}

/// The routes.
pub fn router(tiles: Arc<Tiles>) -> Router {
    Router::new().fallback(get(answer)).with_state(tiles)
}

/// Bytes that count as in memory until they are sent.
struct Held {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

async fn answer(State(tiles): State<Arc<Tiles>>, uri: Uri) -> Response {
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    let tile = match (path, Tile::parse(path)) {
        ("checkpoint", _) => None,
        (_, Ok(tile)) => Some(tile),
        (_, Err(_)) => return refuse(No::NotThere),
    };
    let Ok(permit) = tiles.memory.clone().acquire_owned().await else {
        return refuse(No::NotReady);
    };
    let work = move || match tile {
        None => tiles.head().map(|head| head.note.clone()),
        Some(tile) => tiles.tile(tile),
    };
    let bytes = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(no)) => return refuse(no),
        Err(_) => return refuse(No::Damaged),
    };
    let (kind, cache) = match tile {
        None => ("text/plain; charset=utf-8", "no-cache"),
        Some(_) => ("application/octet-stream", IMMUTABLE),
    };
    let body = Body::from(Bytes::from_owner(Held { bytes, _permit: permit }));
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)];
    (headers, body).into_response()
}

fn refuse(no: No) -> Response {
    let (status, what) = match no {
        No::NotThere => (StatusCode::NOT_FOUND, "not here\n"),
        No::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready; try again\n"),
        No::Damaged => {
            eprintln!("tiles: the trail does not lead to its checkpoint; run `auditlog verify`");
            (StatusCode::INTERNAL_SERVER_ERROR, "damaged\n")
        }
    };
    let mut response = (status, what).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
