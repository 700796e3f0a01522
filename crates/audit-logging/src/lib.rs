//! audit-logging
