//! What a stream tag does to its target.

use std::fmt;

/// A Turbo stream action.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Adds at the end of the target; a child with the same id is moved there.
    Append,
    /// Adds at the beginning of the target.
    Prepend,
    /// Inserts before the target.
    Before,
    /// Inserts after the target.
    After,
    /// Replaces the target.
    Replace,
    /// Replaces what is in the target.
    Update,
    /// Removes the target.
    Remove,
    /// Loads the page again.
    Refresh,
    /// An action that the page's JavaScript defines.
    Custom(String),
}

impl Action {
    /// The name in the tag.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Append => "append",
            Self::Prepend => "prepend",
            Self::Before => "before",
            Self::After => "after",
            Self::Replace => "replace",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Refresh => "refresh",
            Self::Custom(name) => name,
        }
    }

    /// Whether the tag has a `<template>`. All but `remove` and `refresh` do, also where these are
    /// named as custom actions.
    pub fn has_template(&self) -> bool {
        !matches!(self.as_str(), "remove" | "refresh")
    }
}

/// The action of this name; one that Turbo doesn't have is custom.
impl From<&str> for Action {
    fn from(name: &str) -> Self {
        match name {
            "append" => Self::Append,
            "prepend" => Self::Prepend,
            "before" => Self::Before,
            "after" => Self::After,
            "replace" => Self::Replace,
            "update" => Self::Update,
            "remove" => Self::Remove,
            "refresh" => Self::Refresh,
            custom => Self::Custom(custom.to_owned()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
