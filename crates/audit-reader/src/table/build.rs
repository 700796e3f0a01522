//! Rows from entries.
//!
//! What must stay true here: every column gets one value for every entry, so rows cannot shift.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};
use audit_core::entry::{Entry, RawStr};

use super::columns::schema;
use super::time::nanoseconds;

/// What follows the hexadecimal digits of `hash` in a line.
const CLOSING: usize = "\"}".len();
const DIGITS: usize = 64;

/// Collects rows.
#[derive(Debug)]
pub(crate) struct TableBuilder {
    schema: SchemaRef,
    rows: usize,
    seq: UInt64Builder,
    audit_id: StringBuilder,
    timestamp: TimestampNanosecondBuilder,
    service_id: StringBuilder,
    event_type: StringBuilder,
    critical: BooleanBuilder,
    /// `user_id`, `ip`, `auth_method`, `session_id`.
    actor: [StringBuilder; 4],
    /// `resource_type`, `resource_id`, `parent_id`.
    resource: [StringBuilder; 3],
    result: StringBuilder,
    reason: StringBuilder,
    /// `trace_id`, `span_id`, `request_id`.
    context: [StringBuilder; 3],
    details: StringBuilder,
    hash: StringBuilder,
    line_offset: UInt64Builder,
}

impl TableBuilder {
    pub(crate) fn new() -> TableBuilder {
        TableBuilder {
            schema: schema(),
            rows: 0,
            seq: UInt64Builder::new(),
            audit_id: StringBuilder::new(),
            timestamp: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            service_id: StringBuilder::new(),
            event_type: StringBuilder::new(),
            critical: BooleanBuilder::new(),
            actor: Default::default(),
            resource: Default::default(),
            result: StringBuilder::new(),
            reason: StringBuilder::new(),
            context: Default::default(),
            details: StringBuilder::new(),
            hash: StringBuilder::new(),
            line_offset: UInt64Builder::new(),
        }
    }

    /// How many rows there are.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Adds an entry that begins at `offset` in its segment; gives its time, if the table can say it.
    pub(crate) fn push(&mut self, entry: &Entry<'_>, offset: u64) -> Option<i64> {
        let time = nanoseconds(entry.timestamp());
        self.rows += 1;
        self.seq.append_value(entry.seq());
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        self.audit_id.append_value(entry.audit_id().hyphenated().encode_lower(&mut id));
        self.timestamp.append_option(time);
        said(&mut self.service_id, Some(entry.service_id()));
        self.event_type.append_value(entry.event_type());
        self.critical.append_value(entry.is_critical());
        let actor = entry.actor();
        let [user_id, ip, auth_method, session_id] = &mut self.actor;
        said(user_id, actor.map(|actor| actor.user_id));
        said(ip, actor.and_then(|actor| actor.ip));
        said(auth_method, actor.and_then(|actor| actor.auth_method));
        said(session_id, actor.and_then(|actor| actor.session_id));
        let resource = entry.resource();
        let [resource_type, resource_id, parent_id] = &mut self.resource;
        said(resource_type, resource.map(|resource| resource.resource_type));
        said(resource_id, resource.map(|resource| resource.resource_id));
        said(parent_id, resource.and_then(|resource| resource.parent_id));
        self.result.append_value(entry.result().as_str());
        said(&mut self.reason, entry.reason());
        let context = entry.context();
        let [trace_id, span_id, request_id] = &mut self.context;
        said(trace_id, context.and_then(|context| context.trace_id));
        said(span_id, context.and_then(|context| context.span_id));
        said(request_id, context.and_then(|context| context.request_id));
        self.details.append_option(entry.details());
        self.hash.append_value(hash_text(entry));
        self.line_offset.append_value(offset);
        time
    }

    /// The rows so far; begins anew.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.seq.finish()),
            Arc::new(self.audit_id.finish()),
            Arc::new(self.timestamp.finish()),
            Arc::new(self.service_id.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.critical.finish()),
        ];
        let mut text = |builder: &mut StringBuilder| columns.push(Arc::new(builder.finish()));
        self.actor.iter_mut().for_each(&mut text);
        self.resource.iter_mut().for_each(&mut text);
        text(&mut self.result);
        text(&mut self.reason);
        self.context.iter_mut().for_each(&mut text);
        text(&mut self.details);
        text(&mut self.hash);
        columns.push(Arc::new(self.line_offset.finish()));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

fn said(column: &mut StringBuilder, text: Option<RawStr<'_>>) {
    match text {
        Some(text) => column.append_value(text.decode()),
        None => column.append_null(),
    }
}

/// `hash` as it stands in the line: at a place that is fixed from its end, which every entry has.
fn hash_text<'a>(entry: &Entry<'a>) -> &'a str {
    let line = entry.line();
    let end = line.len().saturating_sub(CLOSING);
    line.get(end.saturating_sub(DIGITS)..end).unwrap_or_default()
}
