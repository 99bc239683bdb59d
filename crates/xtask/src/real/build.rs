//! A crate of the extracted ones, built from the mount with its target directory on the mount.
//!
//! Cargo runs what it has just written there (build scripts), loads it (procedural macros), locks, links and compares times.

use super::Scene;
use super::extract;
use crate::workspace;
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = r#"[package]
name = "greeting"
edition = "2024"

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"

[workspace]
"#;

const MAIN: &str = r#"#[derive(serde::Serialize)]
struct Greeting { from: &'static str, numbers: Vec<u32> }

fn main() {
    let greeting = Greeting { from: "the mount", numbers: (1..4).collect() };
    println!("{}", serde_json::to_string(&greeting).unwrap());
}
"#;

const PRINTED: &str = "{\"from\":\"the mount\",\"numbers\":[1,2,3]}\n";

pub(super) fn play(scene: &Scene) -> Result<()> {
    let package = package(scene)?;
    let compiled = build(scene, &package)?;
    if !compiled.contains("Compiling serde_json") {
        bail!("the build did not compile what it should: {compiled}");
    }
    expect_still_built(scene)
}

/// Fails if Cargo thinks that anything has to be built again, or if what it built does not run.
pub(super) fn expect_still_built(scene: &Scene) -> Result<()> {
    let compiled = build(scene, &package(scene)?)?;
    if compiled.contains("Compiling") {
        bail!("what was built is built again: {compiled}");
    }
    let printed = crate::program::Program::new(target_dir(scene).join("debug/greeting")).output()?;
    match printed == PRINTED {
        true => Ok(()),
        false => bail!("the program built on the mount prints {printed:?}"),
    }
}

/// Whether the scenario has been played.
pub(super) fn is_built(scene: &Scene) -> bool {
    target_dir(scene).exists()
}

fn target_dir(scene: &Scene) -> PathBuf {
    scene.pool.mount().join("target")
}

/// Builds and returns what Cargo says it did.
fn build(scene: &Scene, package: &Path) -> Result<String> {
    let build = workspace::cargo(["build", "--offline"]).directory(package);
    let ended = build.environment("CARGO_TARGET_DIR", target_dir(scene)).end()?;
    match ended.status.success() {
        true => Ok(ended.errors),
        false => bail!(ended.failure()),
    }
}

/// A package whose dependencies come from the extracted sources on the mount.
fn package(scene: &Scene) -> Result<PathBuf> {
    let package = scene.stage.local("greeting")?;
    if package.join("Cargo.toml").exists() {
        return Ok(package);
    }
    fs::create_dir_all(package.join("src"))?;
    fs::create_dir_all(package.join(".cargo"))?;
    fs::write(package.join("Cargo.toml"), MANIFEST)?;
    fs::write(package.join("src/main.rs"), MAIN)?;
    let vendor = extract::on_mount(scene).join("vendor");
    let sources = format!(
        "[source.crates-io]\nreplace-with = \"mount\"\n\n[source.mount]\ndirectory = {:?}\n",
        vendor.display().to_string()
    );
    fs::write(package.join(".cargo/config.toml"), sources)?;
    Ok(package)
}
