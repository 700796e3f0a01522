//! Writing the implementations.
//!
//! What must stay true here: generated code names everything by its full path, so it compiles
//! whatever the user has in scope; every event is both encoded and described from one `EventDecl`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Field, Ident, Path, Type};

use crate::attrs::{EventDecl, Events, Role};
use crate::json::{self, Json};

pub(crate) fn expand(input: &DeriveInput, events: &Events<'_>) -> TokenStream {
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let core = &events.core;
    let event = quote!(#core::event);
    let one = |write: &dyn Fn(&EventDecl<'_>) -> (Vec<Ident>, TokenStream)| {
        let arms = events.events.iter().map(|decl| {
            let (used, body) = write(decl);
            let pattern = match decl.variant {
                Some(variant) => quote!(Self::#variant { #(#used,)* .. }),
                None => quote!(Self { #(#used,)* .. }),
            };
            quote!(#pattern => #body)
        });
        quote!(match self { #(#arms),* })
    };

    let event_type = one(&|decl| {
        (vec![], {
            let text = &decl.event_type;
            quote!(#text)
        })
    });
    let critical = one(&|decl| {
        (vec![], {
            let critical = decl.critical;
            quote!(#critical)
        })
    });
    let timestamp =
        one(&|decl| role_call(decl, Role::Timestamp, core, "TimestampField", "timestamp"));
    let actor = one(&|decl| actor(decl, core));
    let resource = one(&|decl| resource(decl, core));
    let outcome = one(&|decl| match decl.outcome {
        Some(outcome) => {
            let outcome = format_ident!("{outcome}");
            (vec![], quote!(#event::Outcome::#outcome))
        }
        None => role_call(decl, Role::Result, core, "ResultField", "outcome"),
    });
    let reason = one(&|decl| match decl.roles.get(&Role::Reason) {
        Some(field) => {
            let (used, own) = text_role(decl, Role::Reason, core);
            match decl.roles.get(&Role::Result) {
                Some(result) => {
                    let result_ident = ident(result);
                    let field_ident = ident(field);
                    (
                        vec![field_ident, result_ident.clone()],
                        quote!(#own.or_else(|| #event::roles::ResultField::reason(#result_ident))),
                    )
                }
                None => (used, own),
            }
        }
        None => role_call(decl, Role::Result, core, "ResultField", "reason"),
    });
    let context = one(&|decl| context(decl, core));
    let details = one(&details);
    let descriptions = events.events.iter().map(|decl| description(decl, core));
    let constructors = events.constructors.then(|| constructors(input, events));

    quote! {
        #[automatically_derived]
        impl #generics #event::Event for #name #arguments #bounds {
            fn event_type(&self) -> &str { #event_type }
            fn is_critical(&self) -> bool { #critical }
            fn timestamp(&self) -> ::core::option::Option<#core::Timestamp> { #timestamp }
            fn actor(&self) -> ::core::option::Option<#event::ActorRef<'_>> { #actor }
            fn resource(&self) -> ::core::option::Option<#event::ResourceRef<'_>> { #resource }
            fn outcome(&self) -> #event::Outcome { #outcome }
            fn reason(&self) -> ::core::option::Option<#event::Text<'_>> { #reason }
            fn context(&self) -> ::core::option::Option<#event::ContextRef<'_>> { #context }
            fn details(&self, __details: &mut #core::encode::Details<'_>) { #details }
        }

        #[automatically_derived]
        impl #generics #event::Describe for #name #arguments #bounds {
            const EVENTS: &'static [#event::EventDescription] = &[#(#descriptions),*];
        }

        #constructors
    }
}

fn ident(field: &Field) -> Ident {
    // Only named fields get a role or become a detail.
    field.ident.clone().unwrap_or_else(|| format_ident!("__unnamed"))
}

/// `roles::Trait::method(field)`, or `None` if no field has the role. The error of a missing
/// implementation points at the field's type.
fn role_call(
    decl: &EventDecl<'_>,
    role: Role,
    core: &Path,
    trait_name: &str,
    method: &str,
) -> (Vec<Ident>, TokenStream) {
    match decl.roles.get(&role) {
        None => (vec![], quote!(::core::option::Option::None)),
        Some(field) => {
            let (field_ident, ty) = (ident(field), &field.ty);
            let (trait_name, method) = (format_ident!("{trait_name}"), format_ident!("{method}"));
            let call = quote_spanned! {ty.span()=>
                <#ty as #core::event::roles::#trait_name>::#method(#field_ident)
            };
            (vec![field_ident], call)
        }
    }
}

fn text_role(decl: &EventDecl<'_>, role: Role, core: &Path) -> (Vec<Ident>, TokenStream) {
    role_call(decl, role, core, "TextField", "text")
}

fn actor(decl: &EventDecl<'_>, core: &Path) -> (Vec<Ident>, TokenStream) {
    if decl.roles.contains_key(&Role::Actor) {
        return role_call(decl, Role::Actor, core, "ActorField", "actor");
    }
    let (mut used, id) = text_role(decl, Role::ActorId, core);
    let (used_ip, ip) = text_role(decl, Role::ActorIp, core);
    used.extend(used_ip);
    match used.is_empty() {
        true => (used, quote!(::core::option::Option::None)),
        false => (used, quote!(#core::event::roles::partial_actor(#id, #ip))),
    }
}

fn resource(decl: &EventDecl<'_>, core: &Path) -> (Vec<Ident>, TokenStream) {
    if decl.roles.contains_key(&Role::Resource) {
        return role_call(decl, Role::Resource, core, "ResourceField", "resource");
    }
    let (mut used, id) = text_role(decl, Role::ResourceId, core);
    let (used_parent, parent) = text_role(decl, Role::ParentId, core);
    let (used_kind, kind) = match &decl.resource_kind {
        Some(kind) => {
            (vec![], quote!(::core::option::Option::Some(#core::event::Text::Str(#kind))))
        }
        None => text_role(decl, Role::ResourceType, core),
    };
    let fixed = decl.resource_kind.is_some();
    used.extend(used_parent);
    used.extend(used_kind.into_iter().filter(|kind| !used.contains(kind)).collect::<Vec<_>>());
    if used.is_empty() {
        return (used, quote!(::core::option::Option::None));
    }
    let body = quote! {{
        let resource_id = #id;
        let parent_id = #parent;
        #kind.map(|resource_type| #core::event::ResourceRef { resource_type, resource_id, parent_id })
    }};
    // A kind alone, of no particular thing, is no resource.
    let body = match fixed {
        true => quote!(#body.filter(|resource| resource.resource_id.is_some())),
        false => body,
    };
    (used, body)
}

fn context(decl: &EventDecl<'_>, core: &Path) -> (Vec<Ident>, TokenStream) {
    let (mut used, trace) = text_role(decl, Role::TraceId, core);
    let (used_span, span) = text_role(decl, Role::SpanId, core);
    let (used_request, request) = text_role(decl, Role::RequestId, core);
    used.extend(used_span);
    used.extend(used_request);
    if used.is_empty() {
        return (used, quote!(::core::option::Option::None));
    }
    let body = quote! {
        ::core::option::Option::Some(#core::event::ContextRef {
            trace_id: #trace,
            span_id: #span,
            request_id: #request,
        })
    };
    (used, body)
}

fn details(decl: &EventDecl<'_>) -> (Vec<Ident>, TokenStream) {
    let used = decl.details.iter().map(|detail| ident(detail.field)).collect();
    let writes = decl.details.iter().map(|detail| {
        let (field, name) = (ident(detail.field), &detail.name);
        let span = detail.field.ty.span();
        match json::is_option(&detail.field.ty) {
            true => quote_spanned! {span=>
                if let ::core::option::Option::Some(value) = #field {
                    __details.field(#name, value);
                }
            },
            false => quote_spanned!(span=> __details.field(#name, #field);),
        }
    });
    (used, quote!({ #(#writes)* }))
}

fn description(decl: &EventDecl<'_>, core: &Path) -> TokenStream {
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
    let resource = match decl.roles.contains_key(&Role::ResourceType) {
        true => presence(&[Role::ResourceType]),
        false => presence(&[Role::Resource, Role::ResourceId]),
    };
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

/// One function per event, taking every field but the timestamp; strings as `impl Into<String>`.
fn constructors(input: &DeriveInput, events: &Events<'_>) -> TokenStream {
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let functions = events.events.iter().map(|decl| {
        let timestamp = decl.roles.get(&Role::Timestamp).map(|field| ident(field));
        let mut parameters = Vec::new();
        let mut values = Vec::new();
        for field in decl.fields {
            let (field_ident, ty) = (ident(field), &field.ty);
            if Some(&field_ident) == timestamp.as_ref() && json::is_option(ty) {
                values.push(quote!(#field_ident: ::core::option::Option::None));
            } else if is_string(ty) {
                parameters.push(quote!(#field_ident: impl ::core::convert::Into<#ty>));
                values.push(quote!(#field_ident: #field_ident.into()));
            } else {
                parameters.push(quote!(#field_ident: #ty));
                values.push(quote!(#field_ident));
            }
        }
        let (function, path) = match decl.variant {
            Some(variant) => (snake_case(variant), quote!(Self::#variant)),
            None => (format_ident!("new"), quote!(Self)),
        };
        let doc = format!("`{}`: {}", decl.event_type, decl.summary);
        quote! {
            #[doc = #doc]
            #[must_use]
            #[allow(clippy::too_many_arguments)]
            pub fn #function(#(#parameters),*) -> Self {
                #path { #(#values),* }
            }
        }
    });
    quote! {
        impl #generics #name #arguments #bounds { #(#functions)* }
    }
}

fn is_string(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("String"))
}

fn snake_case(ident: &Ident) -> Ident {
    let mut out = String::new();
    for c in ident.to_string().chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    Ident::new(&out, ident.span())
}
