//! The gem, the snippets of the documentation that need Ruby, nginx or systemd, and what `forebay doctor` says of these.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::browser;
use crate::run::{cargo, exists, install_all, repository, step, succeed, target};

/// Debian's packages; Rails with what it recommends would bring a whole desktop's worth of others.
const PACKAGES: [&str; 11] = [
    "bundler",
    "curl",
    "nginx-light",
    "openssl",
    "puma",
    "ruby",
    "ruby-actioncable",
    "ruby-connection-pool",
    "ruby-minitest",
    "ruby-railties",
    "systemd",
];

/// What says whether the gems are there.
const GEMS: &str =
    "%w[actioncable connection_pool minitest puma railties].each { |name| gem name }";

/// Every file that holds tests.
const TESTS: &str = r#"Dir["test/*_test.rb"].sort.each { |file| require File.expand_path(file) }"#;

pub(crate) fn run() -> Result<()> {
    step("ruby, nginx, systemd");
    ensure_packages()?;
    browser::programs()?;
    // The workspace's other tests have these features.
    let binary = ["test", "--workspace", "--all-features", "--test", "binary"];
    // Those that need what is installed here; the deploy only needs minutes.
    cargo(&[&binary[..], &["--", "--ignored", "--skip", crate::DEPLOY]].concat())?;
    let mut ruby = Command::new("ruby");
    ruby.args(["-Itest", "-e", TESTS]).current_dir(repository().join("ruby/forebay-rails"));
    succeed(ruby.env("FOREBAY", target().join("debug/forebay")))
}

pub(crate) fn ensure_packages() -> Result<()> {
    let has_gems = Command::new("ruby").args(["-e", GEMS]).output();
    let has_gems = has_gems.is_ok_and(|output| output.status.success());
    // nginx has no --version, but can be started.
    let has_nginx = Command::new("nginx").arg("-v").output().is_ok();
    if has_gems && has_nginx && ["bundle", "curl", "systemd-analyze"].into_iter().all(exists) {
        return Ok(());
    }
    ensure!(
        exists("apt-get"),
        "install Ruby, Rails, Bundler, Puma, minitest, connection_pool, nginx"
    );
    install_all(&PACKAGES, &["--no-install-recommends"])
}
