//! Who looks at a page. The demo has no accounts: the address says it, so two tabs can be two
//! people.

use serde::{Deserialize, Serialize};

/// Everybody whom one may write as. `assets/css/people.css` gives them their colours.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase")]
pub(crate) enum Person {
    #[default]
    Guest,
    Ada,
    Grace,
    Alan,
}

impl Person {
    pub(crate) const ALL: [Self; 4] = [Self::Guest, Self::Ada, Self::Grace, Self::Alan];

    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Ada => "ada",
            Self::Grace => "grace",
            Self::Alan => "alan",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Guest => "Guest",
            Self::Ada => "Ada",
            Self::Grace => "Grace",
            Self::Alan => "Alan",
        }
    }

    /// Where this person finds a page.
    pub(crate) fn address(self, path: &str) -> String {
        match self {
            Self::Guest => path.to_owned(),
            _ => format!("{path}?as={}", self.slug()),
        }
    }

    pub(crate) fn initial(self) -> &'static str {
        &self.name()[..1]
    }
}

/// Its slug: a part of ids.
impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.slug())
    }
}

/// `?as=ada&embedded=true`.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct Viewer {
    #[serde(default, rename = "as")]
    pub(crate) person: Person,
    /// The room stands inside the side-by-side page, which has the rest.
    #[serde(default)]
    pub(crate) embedded: bool,
}
