//! `auditlog schema`: the built-in events as JSON Schema.

use std::io::Write;

use audit_core::event::{catalogue, schema};

use super::Exit;
use crate::error::CliError;
use crate::output::Output;

/// Print the JSON Schema (draft 2020-12) of the built-in events
#[derive(Debug, clap::Args)]
#[command(after_help = "It describes entries as they stand in a trail, one definition per event \
    type. With --json it is printed on one line.\n\n\
    Example:\n  auditlog schema > audit-events.schema.json")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let schema = schema::json_schema(catalogue());
    if out.json {
        writeln!(out, "{schema}")?;
    } else {
        writeln!(out, "{schema:#}")?;
    }
    Ok(Exit::Done)
}
