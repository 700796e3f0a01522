use audit_core::event::AuditEvent;

#[derive(AuditEvent)]
#[audit(crate = audit_core)]
struct Missing {}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "Invoice.Approved")]
struct Capitals {}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "login")]
struct OneWord {}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "audit.closed")]
struct Reserved {}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")]
struct TooLong {}

fn main() {}
