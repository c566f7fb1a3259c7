//! What the attributes of a struct say, checked. Each mistake is reported at its place, and all
//! of them at once.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Generics, Ident, Index, LitStr, Member,
    Path, Result, Type, parse_quote,
};

/// A struct that derives `Streamable`.
pub(crate) struct Input {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// The model's name: a class name as Rails writes it.
    pub(crate) model: String,
    /// Where the traits are.
    pub(crate) traits: Path,
    /// At least one.
    pub(crate) keys: Vec<KeyField>,
}

/// A field that is part of the key.
pub(crate) struct KeyField {
    pub(crate) member: Member,
    /// What prints: the field's type, or what its `Option` holds.
    pub(crate) ty: Type,
    pub(crate) is_option: bool,
}

impl Input {
    pub(crate) fn from_derive(derive: DeriveInput) -> Result<Self> {
        let DeriveInput { ident, generics, data, attrs, .. } = derive;
        let fields = match data {
            Data::Struct(data) => data.fields,
            Data::Enum(data) => return Err(only_structs(data.enum_token.span)),
            Data::Union(data) => return Err(only_structs(data.union_token.span)),
        };
        let mut errors = Errors::default();
        let options = errors.collect(StructOptions::parse(&attrs)).unwrap_or_default();
        let keys = errors.collect(key_fields(&ident, &fields)).unwrap_or_default();
        errors.finish()?;
        Ok(Self {
            model: options.model.unwrap_or_else(|| ident.unraw().to_string()),
            traits: options.traits.unwrap_or_else(|| parse_quote!(::forebay::turbo)),
            ident,
            generics,
            keys,
        })
    }
}

#[derive(Default)]
struct StructOptions {
    model: Option<String>,
    traits: Option<Path>,
}

impl StructOptions {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("model") {
                    let name: LitStr = meta.value()?.parse()?;
                    if !is_class_name(&name.value()) {
                        let message = "expected a class name such as \"Bullhorn::Message\"";
                        return Err(Error::new(name.span(), message));
                    }
                    set_once(&mut options.model, name.value(), &meta.path)
                } else if meta.path.is_ident("crate") {
                    let path: LitStr = meta.value()?.parse()?;
                    set_once(&mut options.traits, path.parse()?, &meta.path)
                } else if meta.path.is_ident("key") {
                    Err(meta.error("`key` belongs on a field"))
                } else {
                    Err(meta.error("unknown option, expected `model` or `crate`"))
                }
            })?;
        }
        Ok(options)
    }
}

fn set_once<T>(option: &mut Option<T>, value: T, path: &Path) -> Result<()> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new_spanned(path, "this option is given twice")),
    }
}

/// The fields marked as key, or else the one that is called `id`.
fn key_fields(ident: &Ident, fields: &Fields) -> Result<Vec<KeyField>> {
    let mut errors = Errors::default();
    let mut marked = Vec::new();
    let mut id = None;
    for (at, field) in fields.iter().enumerate() {
        if errors.collect(is_marked(field)) == Some(true) {
            marked.push(KeyField::new(at, field));
        } else if field.ident.as_ref().is_some_and(|name| name.unraw() == "id") {
            id = Some(KeyField::new(at, field));
        }
    }
    errors.finish()?;
    if marked.is_empty() {
        marked.extend(id);
    }
    if marked.is_empty() {
        let message = "a record needs a key: a field `id`, or a field with `#[streamable(key)]`";
        return Err(Error::new(ident.span(), message));
    }
    Ok(marked)
}

fn is_marked(field: &Field) -> Result<bool> {
    let mut marked = None;
    for attribute in field.attrs.iter().filter(|attribute| is_ours(attribute)) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("key") {
                set_once(&mut marked, (), &meta.path)
            } else if meta.path.is_ident("model") || meta.path.is_ident("crate") {
                Err(meta.error("this option belongs on the struct"))
            } else {
                Err(meta.error("unknown option, expected `key`"))
            }
        })?;
    }
    Ok(marked.is_some())
}

impl KeyField {
    fn new(at: usize, field: &Field) -> Self {
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(Index::from(at)),
        };
        match option_content(&field.ty) {
            Some(ty) => Self { member, ty: ty.clone(), is_option: true },
            None => Self { member, ty: field.ty.clone(), is_option: false },
        }
    }
}

/// What an `Option` holds. A macro sees names, not types, so an alias of `Option` isn't recognised;
/// the compiler then says that it does not print.
fn option_content(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if path.qself.is_some() || last.ident != "Option" {
        return None;
    }
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(content) if arguments.args.len() == 1 => Some(content),
        _ => None,
    }
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("streamable")
}

fn is_class_name(name: &str) -> bool {
    name.split("::").all(|part| {
        let mut chars = part.chars();
        chars.next().is_some_and(char::is_uppercase)
            && chars.all(|char| char.is_alphanumeric() || char == '_')
    })
}

fn only_structs(span: Span) -> Error {
    Error::new(span, "only a struct can be a record")
}

/// Errors gathered so that they are reported together.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn collect<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.0 {
                    Some(all) => all.combine(error),
                    None => self.0 = Some(error),
                }
                None
            }
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
