//! Followers of an audit trail that talk to the network. The client of C2SP witnesses, streams of
//! records to a SIEM, trails read from HTTP servers, time stamps of RFC 3161 on checkpoints.
//!
//! What must stay true here: nothing here can hold up or disturb the writer. Of a trail everything
//! is read, and `witnessed` and `timestamps/` written, atomically, and never by something worse. Nothing
//! that a witness or an authority says is believed without its signature, and nothing they send is read
//! without limit.
#![forbid(unsafe_code)]

mod claim;
mod client;
mod follow;
mod http_file;
mod http_source;
pub mod policy;
mod rotation;
pub mod siem;
mod submit;
mod sync;
#[cfg(feature = "timestamps")]
pub mod timestamp;
pub mod tree;

pub use follow::Follower;
pub use http_source::HttpSource;
pub use policy::{Policy, PolicyError, Witness};
pub use submit::{Evidence, Outcome};
pub use sync::{SyncError, SyncOptions, SyncReport, WitnessReport, WitnessSync};
