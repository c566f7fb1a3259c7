//! A real Rails with Action Cable of its own, and its usual mistakes.

use std::path::Path;
use std::process::Command;

use super::check;
use crate::support::{Program, SECRET};

/// The adapter that reaches nobody, and one that reaches all.
const IN_PROCESS: &str = "production:\n  adapter: async\n";
const SHARED: &str =
    "production:\n  adapter: redis\n  url: <%= ENV[\"REDIS_URL\"] %>\n  channel_prefix: shop\n";

fn folder(cable: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/cable.yml"), cable).unwrap();
    folder
}

fn start(root: &Path) -> (Program, String) {
    let app = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rails/app.rb");
    let mut ruby = Command::new("/usr/bin/ruby");
    ruby.arg(app).env("RAILS_ENV", "production").env("DOCTOR_ROOT", root);
    let rails = Program::start(ruby.env("SECRET_KEY_BASE", SECRET));
    loop {
        // Puma says other things before.
        if let Some(site) = rails.line().strip_prefix("ready ") {
            let site = site.to_owned();
            return (rails, site);
        }
    }
}

#[test]
#[ignore = "needs Rails; cargo xtask ruby installs it"]
fn four_mistakes_of_a_rails_app_are_named_and_what_is_right_is_not() {
    let (shared, root) = (folder(SHARED), folder(IN_PROCESS));
    let (_rails, site) = start(root.path());
    let (shared, root) = (shared.path().to_str().unwrap(), root.path().to_str().unwrap());
    let page = |tag: &str, cable: &str| format!("{site}/rooms/{tag}/{cable}");
    // Debian's Rails is older than 7.0.
    let base = ["--hold", "1s", "--secret-key-base", SECRET, "--digest", "sha1"];
    let check = |page: &str, rails: &str, flags: &[&str], expected: &[&str]| {
        check(&site, &[&base[..], &["--page", page, "--rails", rails], flags].concat(), expected)
    };
    let right = page("own", "right");
    check(&right, shared, &[], &[]);
    check(&right, root, &[], &["adapter_in_process"]);
    check(&page("other", "right"), shared, &[], &["page_tag"]);
    check(&page("own", "wrong"), shared, &[], &["cable_url"]);
    check(&right, shared, &["--origin", "https://other.example"], &["origin"]);
}
