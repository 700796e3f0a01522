use audit_core::event::{ActorInfo, AuditEvent, AuditResult};

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b", result = success)]
struct TwoResults {
    #[audit(result)]
    outcome: AuditResult,
}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct TwoActors {
    #[audit(actor)]
    one: ActorInfo,
    #[audit(actor_id)]
    other: String,
}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct KindlessResource {
    #[audit(resource_id)]
    id: String,
}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct Unknown {
    #[audit(acotr)]
    who: ActorInfo,
}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b", result = maybe)]
struct Maybe {}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct SameName {
    a: u8,
    #[audit(rename = "a")]
    b: u8,
}

#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "a.b")]
struct Nameless(String);

fn main() {}
