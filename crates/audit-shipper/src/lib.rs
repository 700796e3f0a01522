//! Followers of an audit trail that talk to the network. The client of C2SP witnesses, streams of
//! records to a SIEM, and trails read from HTTP servers.
//!
//! What must stay true here: nothing here can hold up or disturb the writer. Of a trail everything
//! is read and one file written, `witnessed`, atomically, and never by something worse. Nothing a
//! witness says is believed without its signature, and nothing it sends is read without limit.
#![forbid(unsafe_code)]

mod client;
mod follow;
mod http_file;
mod http_source;
pub mod policy;
mod rotation;
pub mod siem;
mod submit;
mod sync;
pub mod tree;
mod witnessed;

pub use follow::Follower;
pub use http_source::HttpSource;
pub use policy::{Policy, PolicyError, Witness};
pub use submit::{Evidence, Outcome};
pub use sync::{SyncError, SyncOptions, SyncReport, WitnessReport, WitnessSync};
