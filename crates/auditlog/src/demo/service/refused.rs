//! What is answered when a request is not served.
//!
//! What must stay true here: what auditing refused is 503 and can be tried again; why it refused
//! is for the operators, not for the client.

use audit_logging::{EmitError, WaitError};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not served.
pub(super) enum Refused {
    /// For a reason of its own, which the handler has recorded.
    Request(StatusCode, &'static str),
    /// It could not be recorded.
    Audit(String),
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Refused {
        Refused::Request(rejection.status(), "not the JSON that is expected here")
    }
}

impl From<EmitError> for Refused {
    fn from(error: EmitError) -> Refused {
        Refused::Audit(error.to_string())
    }
}

impl From<WaitError> for Refused {
    fn from(error: WaitError) -> Refused {
        Refused::Audit(error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Request(code, why) => (code, Json(json!({"error": why}))).into_response(),
            Refused::Audit(why) => {
                // For the operators; the client is only told to come again.
                eprintln!("not served, because it could not be audited: {why}");
                let again = [(header::RETRY_AFTER, "5")];
                let body = Json(json!({"error": "cannot be recorded now"}));
                (StatusCode::SERVICE_UNAVAILABLE, again, body).into_response()
            }
        }
    }
}
