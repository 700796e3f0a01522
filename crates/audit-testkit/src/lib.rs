//! audit-testkit
