//! The `EventDescription` of an event, for schema and documentation.
//!
//! What must stay true here: it says no more of an event than the code in `mod.rs` does; where that
//! depends on a value, it says `Optional` or `Any`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Path;

use crate::attrs::{EventDecl, Role};
use crate::json::{self, Json};

pub(super) fn description(decl: &EventDecl<'_>, core: &Path) -> TokenStream {
    let event = quote!(#core::event);
    let presence = |roles: &[Role]| {
        let fields: Vec<_> = roles.iter().filter_map(|role| decl.roles.get(role)).collect();
        let word = if fields.is_empty() {
            "Never"
        } else if fields.iter().all(|field| json::is_option(&field.ty)) {
            "Optional"
        } else {
            "Always"
        };
        let word = format_ident!("{word}");
        quote!(#event::Presence::#word)
    };
    let actor = presence(&[Role::Actor, Role::ActorId, Role::ActorIp]);
    let resource =
        presence(&[Role::Resource, Role::ResourceType, Role::ResourceId, Role::ParentId]);
    let parent = match decl.roles.contains_key(&Role::Resource) {
        true => quote!(#event::Presence::Optional),
        false => presence(&[Role::ParentId]),
    };
    let reason = match (decl.outcome, decl.roles.contains_key(&Role::Reason)) {
        (None, false) => quote!(#event::Presence::Optional),
        _ => presence(&[Role::Reason]),
    };
    let context = match [Role::TraceId, Role::SpanId, Role::RequestId]
        .iter()
        .any(|role| decl.roles.contains_key(role))
    {
        // An id that is not W3C hex goes to `details`, so even a field that is always set may not
        // make a context.
        true => quote!(#event::Presence::Optional),
        false => quote!(#event::Presence::Never),
    };
    let result = match decl.outcome {
        Some(outcome) => {
            let outcome = format_ident!("{outcome}");
            quote!(::core::option::Option::Some(#event::Outcome::#outcome))
        }
        None => quote!(::core::option::Option::None),
    };
    let kind = match &decl.resource_kind {
        Some(kind) => quote!(::core::option::Option::Some(#kind)),
        None => quote!(::core::option::Option::None),
    };
    let details = decl.details.iter().map(|detail| {
        let (name, json) = (&detail.name, json_type(&detail.json, &event));
        let optional = json::is_option(&detail.field.ty);
        quote!(#event::DetailDescription { name: #name, json: #json, optional: #optional })
    });
    let (event_type, summary, critical) = (&decl.event_type, &decl.summary, decl.critical);
    quote! {
        #event::EventDescription {
            event_type: #event_type,
            summary: #summary,
            critical: #critical,
            result: #result,
            actor: #actor,
            resource: #resource,
            resource_type: #kind,
            parent: #parent,
            reason: #reason,
            context: #context,
            details: &[#(#details),*],
        }
    }
}

fn json_type(json: &Json, event: &TokenStream) -> TokenStream {
    let word = match json {
        Json::Any => "Any",
        Json::Boolean => "Boolean",
        Json::Integer => "Integer",
        Json::Number => "Number",
        Json::String => "String",
        Json::Object => "Object",
        Json::Array(of) => {
            let of = json_type(of, event);
            return quote!(#event::JsonType::Array(&#of));
        }
    };
    let word = format_ident!("{word}");
    quote!(#event::JsonType::#word)
}
