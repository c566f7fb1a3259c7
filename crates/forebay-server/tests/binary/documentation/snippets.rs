//! Finding the fenced blocks of the documents.

use std::fmt;
use std::path::PathBuf;

/// One fenced block.
pub(super) struct Snippet {
    /// From the repository's root.
    pub(super) document: String,
    /// Of its opening fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.document, self.line)
    }
}

pub(super) fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// What users read.
pub(super) fn documents() -> Vec<String> {
    let readmes = ["README.md", "js/forebay/README.md", "ruby/forebay-rails/README.md"];
    let mut documents = readmes.map(str::to_owned).to_vec();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(repository().join(&folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                folders.push(name);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(name);
            }
        }
    }
    documents.sort();
    documents
}

/// The blocks of all documents, in their order.
pub(super) fn all() -> Vec<Snippet> {
    documents().into_iter().flat_map(|document| of(&document)).collect()
}

fn of(document: &str) -> Vec<Snippet> {
    let text = std::fs::read_to_string(repository().join(document)).unwrap();
    let mut snippets = Vec::new();
    let mut open: Option<Snippet> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                let language = language.split([',', ' ']).next().unwrap().to_owned();
                let (document, text) = (document.to_owned(), String::new());
                open = Some(Snippet { document, line: at + 1, language, text });
            }
            (Some(_), Some(_)) => snippets.extend(open.take()),
            (Some(snippet), None) => {
                snippet.text.push_str(line);
                snippet.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{document}: a block is not closed");
    snippets
}
