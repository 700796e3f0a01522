//! The witness over HTTP.
//!
//! What must stay true here: statuses and content types are those of C2SP tlog-witness.
//! `add-rotation` is ours: what it takes can be verified by anyone who holds the old key.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use audit_core::proof::RotationProof;

use super::decide::Refusal;
use super::request::AddCheckpoint;
use super::{No, Witness, blocking};

/// A checkpoint with many signatures and 63 hashes is far below.
const MAX_BODY: usize = 64 * 1024;
/// An entry of 64 KiB and a proof.
const MAX_ROTATION: usize = 192 * 1024;
const TEXT: &str = "text/plain; charset=utf-8";
const SIZE: &str = "text/x.tlog.size";

/// The routes of a witness: `add-checkpoint`, `add-rotation`, `<origin hash>/checkpoint`.
pub fn router(witness: Arc<Witness>) -> Router {
    let checkpoint = post(add_checkpoint).layer(DefaultBodyLimit::max(MAX_BODY));
    let rotation = post(add_rotation).layer(DefaultBodyLimit::max(MAX_ROTATION));
    Router::new()
        .route("/add-checkpoint", checkpoint)
        .route("/add-rotation", rotation)
        .route("/{origin}/checkpoint", get(last_cosigned))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let request = match AddCheckpoint::parse(&body) {
        Ok(request) => request,
        Err(what) => return text(StatusCode::BAD_REQUEST, TEXT, format!("{what}\n")),
    };
    match blocking(&witness, move |witness| witness.add_checkpoint(&request)).await {
        Ok(line) => text(StatusCode::OK, TEXT, line),
        Err(no) => refuse(no),
    }
}

async fn add_rotation(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let request = match RotationProof::parse(&body) {
        Ok(request) => request,
        Err(what) => return text(StatusCode::BAD_REQUEST, TEXT, format!("{what}\n")),
    };
    match blocking(&witness, move |witness| witness.add_rotation(&request)).await {
        Ok(()) => text(StatusCode::OK, TEXT, String::new()),
        Err(no) => refuse(no),
    }
}

async fn last_cosigned(State(witness): State<Arc<Witness>>, Path(hash): Path<String>) -> Response {
    match blocking(&witness, move |witness| Ok(witness.last_cosigned(&hash))).await {
        Ok(Some(note)) => ([(header::CACHE_CONTROL, "no-cache")], note).into_response(),
        Ok(None) => refuse(No::UnknownLog),
        Err(no) => refuse(no),
    }
}

fn refuse(no: No) -> Response {
    let plain = |status, what: &str| text(status, TEXT, format!("{what}\n"));
    match no {
        No::UnknownLog => plain(StatusCode::NOT_FOUND, "unknown log"),
        No::Refused(Refusal::Malformed(what)) => plain(StatusCode::BAD_REQUEST, what),
        No::Refused(Refusal::Signature) => {
            plain(StatusCode::FORBIDDEN, "no valid signature of a trusted key of this log")
        }
        No::Refused(Refusal::Conflict(size)) => {
            text(StatusCode::CONFLICT, SIZE, format!("{size}\n"))
        }
        No::Refused(Refusal::Inconsistent) => {
            plain(StatusCode::UNPROCESSABLE_ENTITY, "the proof does not lead there")
        }
        No::Refused(Refusal::Fork) => {
            plain(StatusCode::UNPROCESSABLE_ENTITY, "another history of this log was cosigned")
        }
        No::Fault(error) => {
            eprintln!("witness: {error}");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this witness cannot store; its operator must look",
            )
        }
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}
