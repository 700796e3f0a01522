//! The pieces `#[audit(..)]` is read with.
//!
//! What must stay true here: an error points at the word that is wrong.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Error, LitStr, Result};

/// Checks an event type against the grammar of the format.
pub(super) fn check_type(literal: &LitStr, control: bool) -> Result<()> {
    let text = literal.value();
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let problem = if text.len() > 128 {
        "an event type has at most 128 bytes"
    } else if !text.contains('.') || !text.split('.').all(word) {
        "an event type is `category.action`: words of a-z, 0-9 and _, joined by dots"
    } else if text.starts_with("audit.") != control {
        "event types in `audit.*` are kept for the audit trail's own entries"
    } else {
        return Ok(());
    };
    Err(Error::new(literal.span(), problem))
}

/// Calls `take` for each `name` of `#[audit(name, ..)]`; it says whether it knows the name.
pub(super) fn each_meta(
    attrs: &[Attribute],
    mut take: impl FnMut(ParseNestedMeta<'_>) -> Result<bool>,
) -> Result<()> {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("audit")) {
        attr.parse_nested_meta(|meta| {
            let span = meta.path.span();
            match take(meta)? {
                true => Ok(()),
                false => Err(Error::new(span, "`audit` has no such attribute here")),
            }
        })?;
    }
    Ok(())
}

/// The first paragraph of the doc comment.
pub(super) fn summary(attrs: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        if let syn::Meta::NameValue(meta) = &attr.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value
        {
            let line = text.value().trim().to_owned();
            if line.is_empty() && !lines.is_empty() {
                break;
            }
            lines.push(line);
        }
    }
    lines.join(" ").trim().to_owned()
}

/// Collects errors so that all are reported at once.
#[derive(Default)]
pub(super) struct Errors(Option<Error>);

impl Errors {
    pub(super) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(super) fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(super) fn into_result(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
