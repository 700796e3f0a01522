//! Reading and checking `#[audit(..)]`.
//!
//! What must stay true here: what leaves this module needs no further check; several errors are
//! reported at once.

mod meta;
mod role;

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitStr, Path, Result};

use crate::json;
use meta::{Errors, check_type, each_meta, summary};
use role::ROLES;
pub(crate) use role::Role;

/// All events one derive declares.
pub(crate) struct Events<'a> {
    pub(crate) core: Path,
    pub(crate) constructors: bool,
    pub(crate) events: Vec<EventDecl<'a>>,
}

/// One event.
pub(crate) struct EventDecl<'a> {
    /// The variant; `None` for a struct.
    pub(crate) variant: Option<&'a Ident>,
    pub(crate) event_type: String,
    pub(crate) summary: String,
    pub(crate) critical: bool,
    /// `Success`, `Failure`, `Partial`; `None` if a field is the result.
    pub(crate) outcome: Option<&'static str>,
    /// The kind of the resource, where `resource_id("kind")` fixes it.
    pub(crate) resource_kind: Option<String>,
    pub(crate) fields: &'a Fields,
    pub(crate) roles: BTreeMap<Role, &'a Field>,
    pub(crate) details: Vec<Detail<'a>>,
}

/// A field that goes to `details`.
pub(crate) struct Detail<'a> {
    pub(crate) field: &'a Field,
    pub(crate) name: String,
    pub(crate) json: json::Json,
}

#[derive(Default)]
struct EventAttrs {
    event_type: Option<LitStr>,
    critical: bool,
    control: bool,
    result: Option<(Span, &'static str)>,
}

#[derive(Default)]
struct TypeAttrs {
    core: Option<Path>,
    constructors: bool,
}

impl<'a> Events<'a> {
    pub(crate) fn read(input: &'a DeriveInput) -> Result<Events<'a>> {
        let mut of_type = TypeAttrs::default();
        let mut errors = Errors::default();
        let mut events = Vec::new();
        match &input.data {
            Data::Struct(data) => {
                let mut attrs = EventAttrs::default();
                errors.note(each_meta(&input.attrs, |meta| {
                    Ok(of_type.take(&meta)? || attrs.take(&meta)?)
                }));
                let event =
                    EventDecl::read(None, input.ident.span(), &input.attrs, attrs, &data.fields);
                events.extend(errors.note(event));
            }
            Data::Enum(data) => {
                errors.note(each_meta(&input.attrs, |meta| of_type.take(&meta)));
                for variant in &data.variants {
                    let mut attrs = EventAttrs::default();
                    errors.note(each_meta(&variant.attrs, |meta| attrs.take(&meta)));
                    let event = EventDecl::read(
                        Some(&variant.ident),
                        variant.ident.span(),
                        &variant.attrs,
                        attrs,
                        &variant.fields,
                    );
                    events.extend(errors.note(event));
                }
                if data.variants.is_empty() {
                    errors.add(Error::new(input.ident.span(), "an enum of events needs a variant"));
                }
            }
            Data::Union(_) => {
                errors.add(Error::new(input.ident.span(), "a union cannot be an audit event"));
            }
        }
        errors.into_result()?;
        let core = match of_type.core {
            Some(path) => path,
            None => syn::parse_str("::audit_logging::core")?,
        };
        Ok(Events { core, constructors: of_type.constructors, events })
    }
}

impl TypeAttrs {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        if meta.path.is_ident("crate") {
            self.core = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("constructors") {
            self.constructors = true;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

impl EventAttrs {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        if meta.path.is_ident("type") {
            self.event_type = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("critical") {
            self.critical = true;
        } else if meta.path.is_ident("control") {
            self.control = true;
        } else if meta.path.is_ident("result") {
            let word: Ident = meta.value()?.parse()?;
            let outcome = match word.to_string().as_str() {
                "success" => "Success",
                "failure" => "Failure",
                "partial" => "Partial",
                _ => {
                    let message = "a result is `success`, `failure` or `partial`";
                    return Err(Error::new(word.span(), message));
                }
            };
            self.result = Some((word.span(), outcome));
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

impl<'a> EventDecl<'a> {
    fn read(
        variant: Option<&'a Ident>,
        span: Span,
        attrs: &'a [Attribute],
        event: EventAttrs,
        fields: &'a Fields,
    ) -> Result<EventDecl<'a>> {
        let mut errors = Errors::default();
        let event_type = match &event.event_type {
            None => {
                let message = "an audit event needs `#[audit(type = \"category.action\")]`";
                errors.add(Error::new(span, message));
                String::new()
            }
            Some(literal) => {
                errors.note(check_type(literal, event.control));
                literal.value()
            }
        };
        if let Fields::Unnamed(unnamed) = fields {
            let message = "the fields of an audit event need names";
            errors.add(Error::new(unnamed.span(), message));
        }
        let mut decl = EventDecl {
            variant,
            event_type,
            summary: summary(attrs),
            critical: event.critical,
            outcome: Some("Success"),
            resource_kind: None,
            fields,
            roles: BTreeMap::new(),
            details: Vec::new(),
        };
        if let Fields::Named(named) = fields {
            for field in &named.named {
                errors.note(decl.field(field));
            }
        }
        errors.note(role::check(&decl));
        match (event.result, decl.roles.get(&Role::Result)) {
            (Some((span, _)), Some(_)) => {
                let message = "either the event has a fixed result or a field is its result";
                errors.add(Error::new(span, message));
            }
            (Some((_, outcome)), None) => decl.outcome = Some(outcome),
            (None, Some(_)) => decl.outcome = None,
            (None, None) => {}
        }
        errors.into_result()?;
        Ok(decl)
    }

    fn field(&mut self, field: &'a Field) -> Result<()> {
        let Some(ident) = &field.ident else { return Ok(()) };
        let mut roles = Vec::new();
        let mut skip = false;
        let mut rename = None;
        let mut json = None;
        each_meta(&field.attrs, |meta| {
            let path = &meta.path;
            if path.is_ident("skip") {
                skip = true;
            } else if path.is_ident("rename") {
                rename = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if path.is_ident("json") {
                json = Some(json::Json::read(&meta.value()?.parse()?)?);
            } else if let Some((_, role)) = ROLES.iter().find(|(name, _)| path.is_ident(name)) {
                if *role == Role::ResourceId && meta.input.peek(syn::token::Paren) {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    self.resource_kind = Some(content.parse::<LitStr>()?.value());
                }
                roles.push((path.span(), *role));
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        if roles.is_empty() && ident == "timestamp" && !skip && rename.is_none() {
            roles.push((ident.span(), Role::Timestamp));
        }
        if (skip || !roles.is_empty()) && (rename.is_some() || json.is_some()) {
            let message = "`rename` and `json` are for details; this field is none";
            return Err(Error::new(ident.span(), message));
        }
        for (span, role) in &roles {
            if self.roles.insert(*role, field).is_some() {
                return Err(Error::new(*span, "another field has this role already"));
            }
        }
        if roles.is_empty() && !skip {
            let plain = ident.to_string();
            let name = rename.unwrap_or_else(|| plain.trim_start_matches("r#").to_owned());
            if self.details.iter().any(|detail| detail.name == name) {
                return Err(Error::new(ident.span(), "another detail has this name already"));
            }
            let json = json.unwrap_or_else(|| json::Json::of(&field.ty));
            self.details.push(Detail { field, name, json });
        }
        Ok(())
    }
}
