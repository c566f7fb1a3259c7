//! `#[derive(Streamable)]`: a struct with an id becomes a record, which names streams and elements.
//!
//! The derive implements two traits of `forebay-turbo`: `Record` and `Streamable`. Applications use it
//! through `forebay`, which exports it beside both.

mod input;
mod output;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Record` and `Streamable` for a struct.
///
/// `Record` gives the struct its element (`room_1`), its collection (`rooms`) and its global id.
/// `Streamable` lets it be a part of a stream name.
///
/// - The key is the field `id`, or each field with `#[streamable(key)]`, in order: a composite key.
///   A key field prints itself (`Display`): integers, strings, UUIDs, newtypes.
/// - A key field that is an `Option` is `None` as long as the record has not been saved.
/// - The model's name is the struct's; `#[streamable(model = "Bullhorn::Message")]` gives another,
///   with Ruby's namespaces.
/// - `#[streamable(crate = "…")]` names the crate or module that holds the traits, for those who do
///   not depend on `forebay`. It is `::forebay::turbo` by default.
///
/// ```
/// use forebay_derive::Streamable;
/// use forebay_turbo::{StreamName, TurboStream, dom_id_with};
///
/// #[derive(Streamable)]
/// #[streamable(crate = "::forebay_turbo")]
/// struct Room {
///     id: i64,
/// }
///
/// let room = Room { id: 1 };
/// assert_eq!(dom_id_with(&room, "edit"), "edit_room_1");
/// assert_eq!(StreamName::of("chat", &(&room, "messages"))?.as_str(), "Z2lkOi8vY2hhdC9Sb29tLzE:messages");
/// assert_eq!(
///     TurboStream::remove(&room).to_string(),
///     r#"<turbo-stream action="remove" target="room_1"></turbo-stream>"#
/// );
/// # Ok::<(), forebay_turbo::StreamNameError>(())
/// ```
#[proc_macro_derive(Streamable, attributes(streamable))]
pub fn derive_streamable(tokens: TokenStream) -> TokenStream {
    let derive = parse_macro_input!(tokens as DeriveInput);
    input::Input::from_derive(derive)
        .map_or_else(|error| error.to_compile_error(), |input| output::implementations(&input))
        .into()
}
