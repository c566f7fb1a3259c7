//! What can be part of a stream's name.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::attributes::ruby_float;
use crate::{StreamName, StreamNameBuilder, StreamNameError};

/// Something that names a stream, alone or with others: text, numbers, records, tuples and lists of
/// these.
///
/// Subscribing and broadcasting take the same values, and so mean the same stream. Records get this
/// from `#[derive(Streamable)]`.
///
/// ```
/// use forebay_turbo::{StreamName, Streamable, StreamNameBuilder, StreamNameError};
///
/// struct Tenant(u32);
///
/// impl Streamable for Tenant {
///     fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
///         name.push_text("tenant")?;
///         name.push_text(&self.0.to_string())
///     }
/// }
///
/// let name = StreamName::of("chat", &(Tenant(5), "messages"))?;
/// assert_eq!(name.as_str(), "tenant:5:messages");
/// # Ok::<(), StreamNameError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot name a stream",
    note = "text, numbers, and tuples and lists of streamables can; a record can with `#[derive(Streamable)]`"
)]
pub trait Streamable {
    /// Adds this value's parts to a name.
    ///
    /// # Errors
    /// [`StreamNameError`] if it has no name, such as a record that was not saved.
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError>;

    /// The visitor whom alone this is for, if it is one's own ([`Viewer`]). Nobody else's tag opens it.
    fn viewer(&self) -> Option<&str> {
        None
    }
}

/// The streams of one visitor: of all pages that somebody has open, and of nobody else's.
///
/// The visitor is whoever the application's connect hook names so. A tag that is made with this is
/// good for them only.
///
/// ```
/// use forebay_turbo::{StreamName, StreamNameError, Streamable, Viewer};
///
/// let inbox = (Viewer("user:7"), "inbox");
/// assert_eq!(StreamName::of("chat", &inbox)?.as_str(), "viewer::user%3A7:inbox");
/// assert_eq!(inbox.viewer(), Some("user:7"));
/// # Ok::<(), StreamNameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Viewer<'a>(pub &'a str);

impl Streamable for Viewer<'_> {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        // Of two colons in a row no other parts can be made.
        name.push_name(&StreamName::raw("viewer:"));
        name.push_text(&self.0.replace('%', "%25").replace(':', "%3A"))
    }

    fn viewer(&self) -> Option<&str> {
        Some(self.0)
    }
}

impl Streamable for str {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        name.push_text(self)
    }
}

impl Streamable for String {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        name.push_text(self)
    }
}

impl Streamable for bool {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        name.push_text(if *self { "true" } else { "false" })
    }
}

/// As Ruby writes it: `1.5`, `1.0e+20`.
impl Streamable for f64 {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        name.push_text(&ruby_float(*self))
    }
}

/// The whole name, as it is.
impl Streamable for StreamName {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        name.push_name(self);
        Ok(())
    }
}

macro_rules! streamable_integers {
    ($($integer:ty)*) => {$(
        impl Streamable for $integer {
            fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
                name.push_text(&self.to_string())
            }
        }
    )*};
}
streamable_integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! streamable_pointers {
    ($($pointer:ty),*) => {$(
        impl<T: Streamable + ?Sized> Streamable for $pointer {
            fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
                T::write_parts(self, name)
            }

            fn viewer(&self) -> Option<&str> {
                T::viewer(self)
            }
        }
    )*};
}
streamable_pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: Streamable + ToOwned + ?Sized> Streamable for Cow<'_, T> {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        T::write_parts(self, name)
    }

    fn viewer(&self) -> Option<&str> {
        T::viewer(self)
    }
}

impl<T: Streamable> Streamable for [T] {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        self.iter().try_for_each(|part| part.write_parts(name))
    }

    fn viewer(&self) -> Option<&str> {
        self.iter().find_map(Streamable::viewer)
    }
}

impl<T: Streamable, const N: usize> Streamable for [T; N] {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        self.as_slice().write_parts(name)
    }

    fn viewer(&self) -> Option<&str> {
        self.as_slice().viewer()
    }
}

impl<T: Streamable> Streamable for Vec<T> {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        self.as_slice().write_parts(name)
    }

    fn viewer(&self) -> Option<&str> {
        self.as_slice().viewer()
    }
}

macro_rules! streamable_tuples {
    ($(($($part:ident)+))*) => {$(
        impl<$($part: Streamable),+> Streamable for ($($part,)+) {
            fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
                #[expect(non_snake_case, reason = "the parts are named like their types")]
                let ($($part,)+) = self;
                $($part.write_parts(name)?;)+
                Ok(())
            }

            fn viewer(&self) -> Option<&str> {
                #[expect(non_snake_case, reason = "the parts are named like their types")]
                let ($($part,)+) = self;
                let viewers = [$($part.viewer()),+];
                viewers.into_iter().flatten().next()
            }
        }
    )*};
}
streamable_tuples!((A)(A B)(A B C)(A B C D)(A B C D E)(A B C D E F));
