//! Writing the implementations.
//!
//! What must stay true here: generated code names everything by its full path, so it compiles
//! whatever the user has in scope; every event is both encoded and described from one `EventDecl`.

mod constructors;
mod describe;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Field, Ident, Path};

use crate::attrs::{EventDecl, Events, Role};
use crate::json;
use constructors::constructors;
use describe::description;

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
    used.extend(used_parent);
    if let Some(kind) = &decl.resource_kind {
        return (used, quote!(#core::event::roles::resource_of_kind(#kind, #id, #parent)));
    }
    let (used_kind, kind) = text_role(decl, Role::ResourceType, core);
    used.extend(used_kind.into_iter().filter(|kind| !used.contains(kind)).collect::<Vec<_>>());
    match used.is_empty() {
        true => (used, quote!(::core::option::Option::None)),
        false => (used, quote!(#core::event::roles::partial_resource(#kind, #id, #parent))),
    }
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
