//! The two implementations that the derive writes.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Generics, parse_quote};

use crate::input::{Input, KeyField};

pub(crate) fn implementations(input: &Input) -> TokenStream {
    let Input { ident, model, traits, keys, .. } = input;
    let generics = with_display_bounds(&input.generics, keys);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let key = key_expression(input);
    quote! {
        #[automatically_derived]
        impl #impl_generics #traits::Record for #ident #type_generics #where_clause {
            fn model() -> &'static #traits::ModelName {
                static MODEL: ::std::sync::LazyLock<#traits::ModelName> =
                    ::std::sync::LazyLock::new(|| #traits::ModelName::new(#model));
                &MODEL
            }

            fn key(&self) -> ::core::option::Option<#traits::RecordKey> {
                #key
            }
        }

        #[automatically_derived]
        impl #impl_generics #traits::Streamable for #ident #type_generics #where_clause {
            fn write_parts(
                &self,
                name: &mut #traits::StreamNameBuilder<'_>,
            ) -> ::core::result::Result<(), #traits::StreamNameError> {
                name.push_record(
                    <Self as #traits::Record>::model(),
                    <Self as #traits::Record>::key(self).as_ref(),
                )
            }
        }
    }
}

/// `Some(RecordKey::new(&self.a).and(&self.b))`, left early where a part is `None`.
///
/// The calls are located at the field's type, so that a type that doesn't print is what the
/// compiler points at. They keep the macro's own context, so that lints know whose code it is.
fn key_expression(input: &Input) -> TokenStream {
    let traits = &input.traits;
    let mut key = TokenStream::new();
    for (at, field) in input.keys.iter().enumerate() {
        let member = &field.member;
        let span = Span::call_site().located_at(field.ty.span());
        let part = if field.is_option {
            quote_spanned! { span => self.#member.as_ref()? }
        } else {
            quote_spanned! { span => &self.#member }
        };
        key = if at == 0 {
            quote_spanned! { span => #traits::RecordKey::new(#part) }
        } else {
            quote_spanned! { span => #key.and(#part) }
        };
    }
    quote! { ::core::option::Option::Some(#key) }
}

/// A generic key has to print, so the type parameters in it have to. Parameters elsewhere, such as
/// the marker of a type state, need not. (A bound on the field's whole type would be more precise,
/// but `&'a T: Display` among the bounds keeps the compiler from finding `&'b T: Display`.)
fn with_display_bounds(generics: &Generics, keys: &[KeyField]) -> Generics {
    let mut bounded = generics.clone();
    for parameter in bounded.type_params_mut() {
        if keys.iter().any(|key| mentions(key.ty.to_token_stream(), &parameter.ident)) {
            parameter.bounds.push(parse_quote! { ::core::fmt::Display });
        }
    }
    bounded
}

fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident,
        TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}
