use audit_core::event::AuditEvent;

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct ActorIsText {
    #[audit(actor)]
    who: String,
}

struct Opaque;

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct NotSerializable {
    thing: Opaque,
}

fn main() {}
