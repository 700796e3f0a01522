//! The columns: their names, types and order.
//!
//! What must stay true here: this is what docs/index.md says. Other programs read these files, so a
//! column keeps its name and its type; a new one comes at the end, with a new format number in
//! [`crate::index`].

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A column, as its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Seq,
    AuditId,
    Timestamp,
    ServiceId,
    EventType,
    Critical,
    ActorUserId,
    ActorIp,
    ActorAuthMethod,
    ActorSessionId,
    ResourceType,
    ResourceId,
    ResourceParentId,
    Result,
    Reason,
    TraceId,
    SpanId,
    RequestId,
    Details,
    Hash,
    LineOffset,
}

use Column::{
    ActorAuthMethod, ActorIp, ActorSessionId, ActorUserId, AuditId, Critical, Details, EventType,
    Hash, LineOffset, Reason, RequestId, ResourceId, ResourceParentId, ResourceType, Result, Seq,
    ServiceId, SpanId, Timestamp, TraceId,
};

/// All of them, in order.
pub(crate) const COLUMNS: [Column; 21] = [
    Seq,
    AuditId,
    Timestamp,
    ServiceId,
    EventType,
    Critical,
    ActorUserId,
    ActorIp,
    ActorAuthMethod,
    ActorSessionId,
    ResourceType,
    ResourceId,
    ResourceParentId,
    Result,
    Reason,
    TraceId,
    SpanId,
    RequestId,
    Details,
    Hash,
    LineOffset,
];

/// Columns that people ask for one value of: they get a Bloom filter.
pub(crate) const BLOOM: [Column; 6] =
    [AuditId, EventType, ActorUserId, ResourceId, TraceId, RequestId];

/// Columns whose values hardly ever come twice: a dictionary of them would be longer than they are.
pub(crate) const UNIQUE: [Column; 5] = [AuditId, TraceId, SpanId, RequestId, Hash];

impl Column {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Seq => "seq",
            AuditId => "audit_id",
            Timestamp => "timestamp",
            ServiceId => "service_id",
            EventType => "event_type",
            Critical => "critical",
            ActorUserId => "actor_user_id",
            ActorIp => "actor_ip",
            ActorAuthMethod => "actor_auth_method",
            ActorSessionId => "actor_session_id",
            ResourceType => "resource_type",
            ResourceId => "resource_id",
            ResourceParentId => "resource_parent_id",
            Result => "result",
            Reason => "reason",
            TraceId => "trace_id",
            SpanId => "span_id",
            RequestId => "request_id",
            Details => "details",
            Hash => "hash",
            LineOffset => "line_offset",
        }
    }

    /// Its place in the table.
    pub(crate) const fn place(self) -> usize {
        self as usize
    }

    fn field(self) -> Field {
        let (data_type, nullable) = match self {
            Seq | LineOffset => (DataType::UInt64, false),
            Timestamp => (DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true),
            Critical => (DataType::Boolean, false),
            AuditId | ServiceId | EventType | Result | Hash => (DataType::Utf8, false),
            _ => (DataType::Utf8, true),
        };
        Field::new(self.name(), data_type, nullable)
    }
}

/// The table's schema as it is decoded: texts are views, which point into what was read.
pub(crate) fn views() -> SchemaRef {
    let view = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => {
            Arc::new(Field::new(field.name(), DataType::Utf8View, field.is_nullable()))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema().fields().iter().map(view).collect::<Vec<_>>()))
}

/// The table's schema.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(COLUMNS.map(Column::field).to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_their_places() {
        for (place, column) in COLUMNS.into_iter().enumerate() {
            assert_eq!(column.place(), place);
        }
    }
}
