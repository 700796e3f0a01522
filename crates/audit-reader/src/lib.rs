//! audit-reader
