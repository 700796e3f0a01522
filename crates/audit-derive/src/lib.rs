//! audit-derive
