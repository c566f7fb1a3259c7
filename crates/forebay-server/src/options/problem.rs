//! What is wrong with a configuration: all of it, in the user's words.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    /// The flag, the variable, or the file and its line; empty where it is about several.
    place: String,
    message: String,
}

impl Problem {
    pub(crate) fn at(place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { place: place.to_string(), message: message.into() }
    }

    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self::at("", message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// The value, unless there is something wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "error: {problem}")?;
        }
        write!(f, "\n`forebay options` explains every option.")
    }
}

/// `; did you mean …?`, where one of the names is near enough to be meant.
pub(super) fn did_you_mean<'a>(
    written: &str,
    known: impl IntoIterator<Item = impl Into<std::borrow::Cow<'a, str>>>,
) -> String {
    // clap uses the same measure and bound.
    const NEAR: f64 = 0.7;
    let scored = known.into_iter().map(|name| {
        let name = name.into();
        (strsim::jaro(written, &name), name)
    });
    let nearest = scored.filter(|(score, _)| *score > NEAR).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default()
}
