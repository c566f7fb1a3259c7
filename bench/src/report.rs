//! The report: `summary.json`, from it `report.md`, and elsewhere a page with plots, `report.html`.
//!
//! All but the summary is made from the summary alone, so that it can be written again without
//! measuring. HTML and SVG are in templates beside this; only `forebay-turbo` has tags in its code.

mod goals;
mod machine;
mod measures;
mod number;
mod page;
mod plot;
mod plots;
mod summary;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use self::summary::Summary;
use crate::bench::Bench;

/// The page with the plots. It is made, like a program, so it is kept with those.
pub(crate) const HTML: &str = "report.html";

/// Writes the summary of what was measured, and everything that is made from it.
pub(crate) fn write(bench: &Bench, folder: &Path, html: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let summary = Summary::of(bench);
    fs::write(folder.join("summary.json"), serde_json::to_string_pretty(&summary)? + "\n")?;
    write_from(&summary, folder, html)
}

/// Writes the rest again, from the summary that is there.
pub(crate) fn write_again(folder: &Path, html: &Path) -> Result<()> {
    let path = folder.join("summary.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    write_from(&serde_json::from_str(&text)?, folder, html)
}

fn write_from(summary: &Summary, folder: &Path, html: &Path) -> Result<()> {
    let page = page::Page::new(summary);
    fs::write(folder.join("report.md"), page.markdown()?)?;
    fs::write(html, page.html()?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_report_is_made_from_its_summary_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = || -> BTreeSet<_> {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let summary = summary::tests::summary(&[("nchan.connects_per_second", 1.0)]);
        let json = serde_json::to_string(&summary).unwrap();
        fs::write(folder.path().join("summary.json"), &json).unwrap();
        fs::write(folder.path().join("notes.txt"), "somebody's own").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let html = elsewhere.path().join(HTML);
        write_again(folder.path(), &html).unwrap();
        assert!(fs::read_to_string(html).unwrap().contains("<svg"));
        let expected = ["notes.txt", "report.md", "summary.json"];
        assert_eq!(files(), expected.map(str::to_owned).into());
        assert_eq!(fs::read_to_string(folder.path().join("summary.json")).unwrap(), json);
    }

    #[test]
    fn without_a_summary_it_says_which_file_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_again(folder.path(), Path::new(HTML)).unwrap_err();
        assert!(error.to_string().ends_with("summary.json"), "{error}");
    }
}
