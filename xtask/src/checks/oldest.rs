//! The leaf crates on the oldest compiler that they name, as their users have it.
//!
//! A user's own lock file decides about dependencies, not this workspace's: so they are built for a package
//! that says it needs no newer compiler either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::skip;
use crate::run::{cargo_command, exists, repository, step, succeed, target};

/// The first compiler that knows the edition 2024. The leaf crates need nothing newer.
const OLDEST: &str = "1.85";

const LEAVES: [&str; 6] = [
    "forebay-turbo",
    "forebay-signing",
    "forebay-log",
    "forebay-presence",
    "forebay-cable",
    "forebay-inspect",
];

/// Debian 12's packages of that compiler: its own version, and then what it needs.
const DEBIAN: [&str; 5] = [
    "rustc-web=1.85*",
    "libstd-rust-web-dev=1.85*",
    "libstd-rust-web-1.85",
    "libllvm19",
    "libz3-4",
];

pub(super) fn check() -> Result<()> {
    step(&format!("the leaf crates with rustc {OLDEST}"));
    for name in LEAVES {
        let manifest = fs::read_to_string(manifest(name))?;
        let says = manifest.contains(&format!("rust-version = \"{OLDEST}\""));
        ensure!(says, "{name} does not say rust-version = \"{OLDEST}\"");
    }
    let Some(compiler) = by_rustup().or_else(by_debian) else {
        skip(&format!("neither rustup nor Debian's packages have rustc {OLDEST} for this machine"));
        return Ok(());
    };
    let folder = target().join("oldest");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(folder.join("Cargo.toml"), user())?;
    let _ = fs::remove_file(folder.join("Cargo.lock"));
    let mut check = cargo_command(&["check", "--quiet"]);
    let packages = LEAVES.iter().flat_map(|name| ["--package", name]);
    check.args(packages).arg("--manifest-path").arg(folder.join("Cargo.toml"));
    check.arg("--target-dir").arg(folder.join("target"));
    // As it is where nobody says otherwise; this repository does.
    check.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
    compiler.is_used_by(&mut check);
    succeed(&mut check)
}

fn manifest(name: &str) -> PathBuf {
    repository().join("crates").join(name).join("Cargo.toml")
}

/// The manifest of somebody who uses all of them.
fn user() -> String {
    let dependency = |name: &&str| {
        let folder = repository().join("crates").join(name);
        format!("{name} = {{ path = {:?} }}\n", folder.display().to_string())
    };
    let dependencies: String = LEAVES.iter().map(dependency).collect();
    format!(
        "[package]\nname = \"oldest\"\nedition = \"2024\"\nrust-version = \"{OLDEST}\"\n\n[dependencies]\n\
         {dependencies}\n[workspace]\n"
    )
}

struct Compiler {
    rustc: PathBuf,
    /// Where its libraries are, if the system does not find them.
    libraries: Option<PathBuf>,
}

impl Compiler {
    fn is_used_by(&self, command: &mut Command) {
        command.env("RUSTC", &self.rustc);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
    }

    /// Whether it runs, and is the one.
    fn works(&self) -> bool {
        let mut command = Command::new(&self.rustc);
        self.is_used_by(&mut command);
        let version = command.arg("--version").output();
        version.is_ok_and(|output| output.stdout.starts_with(format!("rustc {OLDEST}.").as_bytes()))
    }
}

fn by_rustup() -> Option<Compiler> {
    let which = || {
        let which = Command::new("rustup").args(["which", "--toolchain", OLDEST, "rustc"]).output();
        let which = which.ok().filter(|which| which.status.success())?;
        let rustc = PathBuf::from(String::from_utf8(which.stdout).ok()?.trim());
        Some(Compiler { rustc, libraries: None }).filter(Compiler::works)
    };
    which().or_else(|| {
        let install = ["toolchain", "install", "--quiet", "--profile", "minimal", OLDEST];
        Command::new("rustup").args(install).output().ok()?;
        which()
    })
}

/// Unpacked into the target folder: the system keeps the compiler that it has.
fn by_debian() -> Option<Compiler> {
    let root = target().join(format!("tools/rustc-{OLDEST}"));
    let compiler = Compiler {
        rustc: root.join("usr/bin/rustc"),
        libraries: Some(root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH))),
    };
    if !compiler.works() && exists("apt-get") {
        unpack(&root)?;
    }
    compiler.works().then_some(compiler)
}

fn unpack(root: &Path) -> Option<()> {
    fs::create_dir_all(root).ok()?;
    let run = |command: &mut Command| {
        let output = command.current_dir(root).output().ok()?;
        output.status.success().then_some(())
    };
    // As root, apt knows only what was looked up before.
    let _ = run(Command::new("apt-get").args(["update", "--quiet"]));
    run(Command::new("apt-get").arg("download").args(DEBIAN))?;
    for file in fs::read_dir(root).ok()?.flatten() {
        if file.path().extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("-x").arg(file.path()).arg("."))?;
            fs::remove_file(file.path()).ok()?;
        }
    }
    Some(())
}
