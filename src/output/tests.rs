use super::*;

const MANIFEST: &str = "manifest.json";

fn write_listed_files(dir: &Path, files: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
    write_listed_files_with(&OutputWriter::default(), dir, files)
}

fn write_listed_files_with(
    output: &OutputWriter,
    dir: &Path,
    files: &[(&str, &str)],
) -> anyhow::Result<Vec<String>> {
    output.write_listed(dir, files, (MANIFEST, &OutputManifest::bytes(files)?))
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_run_replaces_and_removes_files_of_the_previous_one() {
    let dir = tempfile::tempdir().unwrap();
    write_listed_files(dir.path(), &[("a.csv", "1"), ("b.csv", "1"), ("logs/x.json", "1")])
        .unwrap();
    let changed = write_listed_files(dir.path(), &[("a.csv", "2"), ("c.csv", "2")]).unwrap();
    assert!(changed.is_empty());
    assert_eq!(names(dir.path()), ["a.csv", "c.csv", "logs", MANIFEST]);
    assert_eq!(names(&dir.path().join("logs")), Vec::<String>::new());
    assert_eq!(text(dir.path().join("a.csv")), "2");
}

#[test]
fn inputs_are_not_removed_even_if_written_by_knockon() {
    let dir = tempfile::tempdir().unwrap();
    write_listed_files(dir.path(), &[("a.csv", "1"), ("tasks.csv", "1")]).unwrap();
    let reading = OutputWriter::default().with_inputs([dir.path().join("tasks.csv")]);
    write_listed_files_with(&reading, dir.path(), &[("a.csv", "2")]).unwrap();
    assert_eq!(names(dir.path()), ["a.csv", MANIFEST, "tasks.csv"]);
}

#[test]
fn files_changed_or_added_by_the_user_stay() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_listed_files(dir.path(), &[("a.csv", "1"), ("b.csv", "1")]).unwrap();
    // A file that is no longer written: reported, and left in place.
    std::fs::write(at("b.csv"), "mine").unwrap();
    assert_eq!(write_listed_files(dir.path(), &[("a.csv", "2")]).unwrap(), ["b.csv"]);
    assert_eq!(text(at("b.csv")), "mine");
    // Files that would be written.
    std::fs::write(at("a.csv"), "mine").unwrap();
    std::fs::write(at("c.csv"), "mine too").unwrap();
    let error = write_listed_files(dir.path(), &[("a.csv", "3"), ("c.csv", "3"), ("d.csv", "3")])
        .unwrap_err();
    assert!(error.is::<WriteRefused>());
    let message = error.to_string();
    assert!(message.contains("a.csv was changed after knockon wrote it"), "{message}");
    assert!(message.contains("c.csv already exists, and its content is not known"), "{message}");
    assert!(message.contains("--force"), "{message}");
    assert_eq!((text(at("a.csv")), text(at("c.csv"))), ("mine".into(), "mine too".into()));
    assert!(!at("d.csv").exists(), "some of it was written");
    write_listed_files_with(
        &OutputWriter::new(true),
        dir.path(),
        &[("a.csv", "3"), ("c.csv", "3")],
    )
    .unwrap();
    assert_eq!((text(at("a.csv")), text(at("c.csv"))), ("3".into(), "3".into()));
    // The bytes to be written may already be there, whoever wrote them.
    std::fs::write(at("e.csv"), "4").unwrap();
    write_listed_files(dir.path(), &[("e.csv", "4")]).unwrap();
}

#[test]
fn inputs_are_not_replaced_even_with_force() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("tasks.csv");
    std::fs::write(&input, "mine").unwrap();
    let output = OutputWriter::new(true).with_inputs([&input]);
    for known in [OwnershipProof::Never, OwnershipProof::Marked("mine")] {
        // Also through another path to the same file.
        for path in [input.clone(), dir.path().join(".").join("tasks.csv")] {
            let error = output.check_file(&path, known).unwrap_err().to_string();
            assert!(error.contains("is read by this command"), "{error}");
            assert!(!error.contains("--force"), "{error}");
            output.write_file(&path, b"mine", known).unwrap_err();
        }
    }
    write_listed_files_with(&output, dir.path(), &[("a.csv", "1"), ("tasks.csv", "1")])
        .unwrap_err();
    assert_eq!(
        (names(dir.path()), text(&input)),
        (vec!["tasks.csv".to_owned()], "mine".to_owned())
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_an_input_is_the_input_and_other_links_are_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let (input, link) = (dir.path().join("in.csv"), dir.path().join("link.csv"));
    std::fs::write(&input, "mine").unwrap();
    std::os::unix::fs::symlink(&input, &link).unwrap();
    let output = OutputWriter::new(true).with_inputs([&input]);
    assert!(output.write_file(&link, b"x", OwnershipProof::Never).is_err());
    let error = OutputWriter::default()
        .write_file(&link, b"mine", OwnershipProof::Never)
        .unwrap_err()
        .to_string();
    assert!(error.contains("is a link"), "{error}");
    // With force, the link is replaced and not its target.
    OutputWriter::new(true).write_file(&link, b"x", OwnershipProof::Never).unwrap();
    assert_eq!((text(&link), text(&input)), ("x".into(), "mine".into()));
    // A broken link exists as well.
    let broken = dir.path().join("broken");
    std::os::unix::fs::symlink(dir.path().join("nothing"), &broken).unwrap();
    assert!(OutputWriter::default().check_file(&broken, OwnershipProof::Never).is_err());
}

#[test]
fn a_mark_counts_only_near_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gate.md");
    let (mark, output) = (OwnershipProof::Marked("### knockon gate, "), OutputWriter::default());
    output.write_file(&path, b"### knockon gate, desk: passed\n", mark).unwrap();
    output.write_file(&path, b"### knockon gate, desk: failed\n", mark).unwrap();
    for mine in ["notes\n", "\n", &format!("{}### knockon gate, desk", "-".repeat(600))] {
        std::fs::write(&path, mine).unwrap();
        assert!(output.check_file(&path, mark).is_err(), "{mine:?}");
    }
    // An empty file that a CI system created.
    std::fs::write(&path, "").unwrap();
    output.write_file(&path, b"### knockon gate, desk: passed\n", mark).unwrap();
}

#[test]
fn a_manifest_of_somebody_else_is_not_ours() {
    for mine in ["{\"name\": \"my app\"}", "not JSON", "[]", "{\"knockon\": \"0.1.0\"}", ""] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MANIFEST), mine).unwrap();
        let output = OutputWriter::default();
        let error = output.check_folder(dir.path(), &["a.csv"], Some(MANIFEST)).unwrap_err();
        assert!(error.to_string().contains(MANIFEST), "{mine}: {error}");
        write_listed_files(dir.path(), &[("a.csv", "1")]).unwrap_err();
        assert_eq!(
            (names(dir.path()), text(dir.path().join(MANIFEST))),
            (vec![MANIFEST.to_owned()], mine.to_owned())
        );
    }
}

#[test]
fn a_manifest_reaches_nothing_outside_its_folder() {
    let around = tempfile::tempdir().unwrap();
    let (dir, outside) = (around.path().join("out"), around.path().join("mine.csv"));
    std::fs::write(&outside, "mine").unwrap();
    let hash = blake3::hash(b"mine").to_hex();
    for name in ["../mine.csv", outside.to_str().unwrap(), "./../mine.csv", "a/../../mine.csv"] {
        std::fs::create_dir_all(&dir).unwrap();
        let manifest = json(&[(name, hash.as_str())]);
        std::fs::write(dir.join(MANIFEST), manifest).unwrap();
        write_listed_files(&dir, &[("a.csv", "1")]).unwrap();
        assert_eq!(text(&outside), "mine", "{name}");
        assert!(write_listed_files(&dir, &[(name, "1")]).is_err(), "{name}");
        assert!(OutputWriter::new(true).write_folder(&dir, &[(name, "1")]).is_err(), "{name}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert_eq!(text(&outside), "mine");
}

fn json(outputs: &[(&str, &str)]) -> String {
    let outputs =
        outputs.iter().map(|(path, hash)| serde_json::json!({"path": path, "blake3": hash}));
    let manifest = serde_json::json!({"knockon": "0.1.0", OUTPUTS: outputs.collect::<Vec<_>>()});
    String::from_utf8(with_own_checksum(&manifest).unwrap()).unwrap()
}

/// A person's notes in a manifest are as precious as those in a table.
#[test]
fn an_edited_manifest_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join(MANIFEST);
    write_listed_files(dir.path(), &[("a.csv", "1")]).unwrap();
    let written = text(&manifest);
    let without_checksum = serde_json::json!({"knockon": "0.1.0", OUTPUTS: [], "note": "mine"});
    for edited in [
        format!("{written}\n"),
        written.replacen('{', "{\"note\": \"mine\",", 1),
        written.replace("a.csv", "b.csv"),
        written.replace("\"checksum\"", "\"sum\""),
        serde_json::from_str::<serde_json::Value>(&written).unwrap().to_string(),
        without_checksum.to_string(),
    ] {
        std::fs::write(&manifest, &edited).unwrap();
        let output = OutputWriter::default();
        let early = output.check_folder(dir.path(), &["a.csv"], Some(MANIFEST)).unwrap_err();
        let late = write_listed_files(dir.path(), &[("a.csv", "2")]).unwrap_err();
        for error in [early.to_string(), late.to_string()] {
            assert!(error.contains("manifest.json was changed after knockon"), "{edited}: {error}");
            assert!(error.contains("--force"), "{error}");
        }
        assert_eq!((text(&manifest), text(dir.path().join("a.csv"))), (edited, "1".to_owned()));
        // The file is listed under its own name only in some of these, so both are told to be replaced.
        let forced = OutputWriter::new(true);
        write_listed_files_with(&forced, dir.path(), &[("a.csv", "1")]).unwrap();
        assert_eq!(text(&manifest), written);
    }
}

/// The announcement has a name of its own, under which a file of the user's may be there.
#[test]
fn an_announcement_replaces_no_other_file() {
    let pending = manifest::pending_name(MANIFEST);
    let ours = OutputManifest::bytes(&[("a.csv", "1")]).unwrap();
    let ours = String::from_utf8(ours).unwrap();
    for mine in
        ["mine", "", "{}", "{\"knockon\": \"0.1.0\", \"outputs\": []}", &(ours.clone() + " ")]
    {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(&pending);
        std::fs::write(&path, mine).unwrap();
        let output = OutputWriter::default();
        let early = output.check_folder(dir.path(), &["a.csv"], Some(MANIFEST)).unwrap_err();
        let late = write_listed_files(dir.path(), &[("a.csv", "1")]).unwrap_err();
        for error in [early.to_string(), late.to_string()] {
            assert!(error.contains(&pending) && error.contains("--force"), "{mine}: {error}");
        }
        assert_eq!((text(&path), names(dir.path())), (mine.to_owned(), vec![pending.clone()]));
    }
    // One of a process that was killed is replaced, but not if the command reads it.
    for (force, read) in [(false, false), (false, true), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(&pending);
        std::fs::write(&path, &ours).unwrap();
        let output = OutputWriter::new(force).with_inputs(read.then_some(&path));
        let written = write_listed_files_with(&output, dir.path(), &[("a.csv", "1")]);
        match written {
            Ok(_) => assert!(!read && !path.exists()),
            Err(error) => {
                assert!(read && error.to_string().contains("is read by this command"), "{error}");
                assert_eq!((text(&path), names(dir.path())), (ours.clone(), vec![pending.clone()]));
            }
        }
    }
}

/// The folder as a process leaves it that is killed after it announced its files.
#[test]
fn files_of_a_process_that_was_killed_are_ours() {
    let dir = tempfile::tempdir().unwrap();
    write_listed_files(dir.path(), &[("a.csv", "1"), ("b.csv", "1")]).unwrap();
    let next = [("a.csv", "2"), ("b.csv", "2"), ("c.csv", "2")];
    OutputManifest::read(dir.path(), MANIFEST).announce(dir.path(), &next).unwrap();
    for (name, content) in [("a.csv", "2"), ("c.csv", "2")] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    write_listed_files(dir.path(), &[("a.csv", "3"), ("b.csv", "3")]).unwrap();
    assert_eq!(names(dir.path()), ["a.csv", "b.csv", MANIFEST]);
}

#[test]
fn unwritable_destinations_are_reported_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let output = OutputWriter::default();
    assert!(output.check_folder(&dir.path().join("file"), &[], None).is_err());
    assert!(output.check_folder(&dir.path().join("file/below"), &[], None).is_err());
    assert!(output.check_file(&dir.path().join("file/below.csv"), OwnershipProof::Never).is_err());
    assert!(
        output.check_file(dir.path(), OwnershipProof::Never).is_err(),
        "a folder is not a file"
    );
    assert!(output.check_file(Path::new("/"), OwnershipProof::Never).is_err());
    output.check_folder(&dir.path().join("new/and/deep"), &["a.csv"], Some(MANIFEST)).unwrap();
    output.check_file(&dir.path().join("new/a.csv"), OwnershipProof::Never).unwrap();
    assert_eq!(names(dir.path()), ["file"]);
}

#[cfg(unix)]
#[test]
fn a_device_is_written_to_and_stays() {
    use std::os::unix::fs::FileTypeExt;
    let null = Path::new("/dev/null");
    let output = OutputWriter::default();
    output.check_file(null, OwnershipProof::Never).unwrap();
    output.write_file(null, b"x", OwnershipProof::Never).unwrap();
    assert!(null.symlink_metadata().unwrap().file_type().is_char_device());
    assert!(output.write_file(Path::new("/dev/full"), b"x", OwnershipProof::Never).is_err());
}

#[test]
fn a_path_that_ends_as_a_folder_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let output = OutputWriter::default();
    for ending in ["new/", "new//", "new/.", "new/./"] {
        let path = dir.path().join(ending);
        let error = output.check_file(&path, OwnershipProof::SameBytes).unwrap_err();
        assert!(error.is::<WriteRefused>(), "{ending}: {error}");
        assert!(error.to_string().contains("names a folder"), "{ending}: {error}");
        output.write_file(&path, b"x", OwnershipProof::SameBytes).unwrap_err();
    }
    for name in ["new", "new.", ".new", "..."] {
        output.write_file(&dir.path().join(name), b"x", OwnershipProof::Never).unwrap();
    }
    assert_eq!(names(dir.path()), ["...", ".new", "new", "new."]);
}

#[test]
fn many_writers_at_once_leave_the_files_of_one_of_them() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let dir = dir.path();
            scope.spawn(move || {
                let content = writer.to_string();
                write_listed_files(dir, &[("a.csv", &content), ("b.csv", &content)]).unwrap();
            });
        }
    });
    assert_eq!(names(dir.path()), ["a.csv", "b.csv", MANIFEST]);
    assert_eq!(text(dir.path().join("a.csv")), text(dir.path().join("b.csv")));
    write_listed_files(dir.path(), &[("a.csv", "last"), ("b.csv", "last")]).unwrap();
}

#[cfg(unix)]
#[test]
fn a_listed_file_in_a_linked_folder_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (dir.path().join("out"), dir.path().join("elsewhere"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("b.csv"), "mine").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("link")).unwrap();
    let manifest = OutputManifest::bytes(&[("link/b.csv", "mine")]).unwrap();
    std::fs::write(folder.join(MANIFEST), manifest).unwrap();
    let changed =
        write_listed_files_with(&OutputWriter::default(), &folder, &[("a.csv", "1")]).unwrap();
    assert_eq!(
        (changed, text(elsewhere.join("b.csv"))),
        (vec!["link/b.csv".to_owned()], "mine".into())
    );
}
