//! The functions that `#[audit(constructors)]` adds.
//!
//! What must stay true here: a constructor takes every field in its order, but for an optional
//! timestamp.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DeriveInput, Ident, Type};

use super::ident;
use crate::attrs::{Events, Role};
use crate::json;

/// One function per event, taking every field but the timestamp; strings as `impl Into<String>`.
pub(super) fn constructors(input: &DeriveInput, events: &Events<'_>) -> TokenStream {
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
