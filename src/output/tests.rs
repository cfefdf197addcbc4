use super::*;

const MANIFEST: &str = "manifest.json";

fn put(dir: &Path, files: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
    put_with(&Output::default(), dir, files)
}

fn put_with(output: &Output, dir: &Path, files: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
    output.write_listed(dir, files, (MANIFEST, &Manifest::plain(files)?))
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
fn what_a_run_wrote_the_next_one_replaces_and_removes() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[("a.csv", "1"), ("b.csv", "1"), ("logs/x.json", "1")]).unwrap();
    let changed = put(dir.path(), &[("a.csv", "2"), ("c.csv", "2")]).unwrap();
    assert!(changed.is_empty());
    assert_eq!(names(dir.path()), ["a.csv", "c.csv", "logs", MANIFEST]);
    assert_eq!(names(&dir.path().join("logs")), Vec::<String>::new());
    assert_eq!(text(dir.path().join("a.csv")), "2");
}

#[test]
fn what_the_command_reads_is_not_removed_though_an_earlier_one_wrote_it() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[("a.csv", "1"), ("tasks.csv", "1")]).unwrap();
    let reading = Output::default().reading([dir.path().join("tasks.csv")]);
    put_with(&reading, dir.path(), &[("a.csv", "2")]).unwrap();
    assert_eq!(names(dir.path()), ["a.csv", MANIFEST, "tasks.csv"]);
}

#[test]
fn what_the_user_changed_or_put_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    put(dir.path(), &[("a.csv", "1"), ("b.csv", "1")]).unwrap();
    // A file that is no longer written: reported, and left in place.
    std::fs::write(at("b.csv"), "mine").unwrap();
    assert_eq!(put(dir.path(), &[("a.csv", "2")]).unwrap(), ["b.csv"]);
    assert_eq!(text(at("b.csv")), "mine");
    // Files that would be written.
    std::fs::write(at("a.csv"), "mine").unwrap();
    std::fs::write(at("c.csv"), "mine too").unwrap();
    let error = put(dir.path(), &[("a.csv", "3"), ("c.csv", "3"), ("d.csv", "3")]).unwrap_err();
    assert!(error.is::<Refused>());
    let message = error.to_string();
    assert!(message.contains("a.csv was changed after knockon wrote it"), "{message}");
    assert!(message.contains("c.csv is there already, and not known as written"), "{message}");
    assert!(message.contains("--force"), "{message}");
    assert_eq!((text(at("a.csv")), text(at("c.csv"))), ("mine".into(), "mine too".into()));
    assert!(!at("d.csv").exists(), "some of it was written");
    put_with(&Output::new(true), dir.path(), &[("a.csv", "3"), ("c.csv", "3")]).unwrap();
    assert_eq!((text(at("a.csv")), text(at("c.csv"))), ("3".into(), "3".into()));
    // The bytes to be written may already be there, whoever wrote them.
    std::fs::write(at("e.csv"), "4").unwrap();
    put(dir.path(), &[("e.csv", "4")]).unwrap();
}

#[test]
fn what_is_read_is_not_even_replaced_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("tasks.csv");
    std::fs::write(&input, "mine").unwrap();
    let output = Output::new(true).reading([&input]);
    for known in [Known::No, Known::Marked("mine")] {
        // Also through another path to the same file.
        for path in [input.clone(), dir.path().join(".").join("tasks.csv")] {
            let error = output.check_file(&path, known).unwrap_err().to_string();
            assert!(error.contains("is read by this command"), "{error}");
            assert!(!error.contains("--force"), "{error}");
            output.write_file(&path, b"mine", known).unwrap_err();
        }
    }
    put_with(&output, dir.path(), &[("a.csv", "1"), ("tasks.csv", "1")]).unwrap_err();
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
    let output = Output::new(true).reading([&input]);
    assert!(output.write_file(&link, b"x", Known::No).is_err());
    let error = Output::default().write_file(&link, b"mine", Known::No).unwrap_err().to_string();
    assert!(error.contains("is a link"), "{error}");
    // With force, the link is replaced and not its target.
    Output::new(true).write_file(&link, b"x", Known::No).unwrap();
    assert_eq!((text(&link), text(&input)), ("x".into(), "mine".into()));
    // A broken link exists as well.
    let broken = dir.path().join("broken");
    std::os::unix::fs::symlink(dir.path().join("nothing"), &broken).unwrap();
    assert!(Output::default().check_file(&broken, Known::No).is_err());
}

#[test]
fn a_file_of_ours_is_known_by_its_mark_and_only_near_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gate.md");
    let (mark, output) = (Known::Marked("### knockon gate, "), Output::default());
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
        let output = Output::default();
        let error = output.check_folder(dir.path(), &["a.csv"], Some(MANIFEST)).unwrap_err();
        assert!(error.to_string().contains(MANIFEST), "{mine}: {error}");
        put(dir.path(), &[("a.csv", "1")]).unwrap_err();
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
        put(&dir, &[("a.csv", "1")]).unwrap();
        assert_eq!(text(&outside), "mine", "{name}");
        assert!(put(&dir, &[(name, "1")]).is_err(), "{name}");
        assert!(Output::new(true).write_folder(&dir, &[(name, "1")]).is_err(), "{name}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert_eq!(text(&outside), "mine");
}

fn json(outputs: &[(&str, &str)]) -> String {
    let outputs =
        outputs.iter().map(|(path, hash)| serde_json::json!({"path": path, "blake3": hash}));
    serde_json::json!({"knockon": "0.1.0", OUTPUTS: outputs.collect::<Vec<_>>()}).to_string()
}

/// The folder as a process leaves it that is killed after it announced its files.
#[test]
fn files_of_a_process_that_was_killed_are_ours() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[("a.csv", "1"), ("b.csv", "1")]).unwrap();
    let next = [("a.csv", "2"), ("b.csv", "2"), ("c.csv", "2")];
    Manifest::read(dir.path(), MANIFEST).announce(dir.path(), &next).unwrap();
    for (name, content) in [("a.csv", "2"), ("c.csv", "2")] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    put(dir.path(), &[("a.csv", "3"), ("b.csv", "3")]).unwrap();
    assert_eq!(names(dir.path()), ["a.csv", "b.csv", MANIFEST]);
}

#[test]
fn a_place_that_cannot_be_written_is_told_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let output = Output::default();
    assert!(output.check_folder(&dir.path().join("file"), &[], None).is_err());
    assert!(output.check_folder(&dir.path().join("file/below"), &[], None).is_err());
    assert!(output.check_file(&dir.path().join("file/below.csv"), Known::No).is_err());
    assert!(output.check_file(dir.path(), Known::No).is_err(), "a folder is no file");
    assert!(output.check_file(Path::new("/"), Known::No).is_err());
    output.check_folder(&dir.path().join("new/and/deep"), &["a.csv"], Some(MANIFEST)).unwrap();
    output.check_file(&dir.path().join("new/a.csv"), Known::No).unwrap();
    assert_eq!(names(dir.path()), ["file"]);
}

#[cfg(unix)]
#[test]
fn a_device_is_written_to_and_stays() {
    use std::os::unix::fs::FileTypeExt;
    let null = Path::new("/dev/null");
    let output = Output::default();
    output.check_file(null, Known::No).unwrap();
    output.write_file(null, b"x", Known::No).unwrap();
    assert!(null.symlink_metadata().unwrap().file_type().is_char_device());
    assert!(output.write_file(Path::new("/dev/full"), b"x", Known::No).is_err());
}

#[test]
fn many_writers_at_once_leave_the_files_of_one_of_them() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let dir = dir.path();
            scope.spawn(move || {
                let content = writer.to_string();
                put(dir, &[("a.csv", &content), ("b.csv", &content)]).unwrap();
            });
        }
    });
    assert_eq!(names(dir.path()), ["a.csv", "b.csv", MANIFEST]);
    assert_eq!(text(dir.path().join("a.csv")), text(dir.path().join("b.csv")));
    put(dir.path(), &[("a.csv", "last"), ("b.csv", "last")]).unwrap();
}

#[cfg(unix)]
#[test]
fn a_listed_file_behind_a_linked_folder_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (dir.path().join("out"), dir.path().join("elsewhere"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("b.csv"), "mine").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("link")).unwrap();
    let manifest = Manifest::plain(&[("link/b.csv", "mine")]).unwrap();
    std::fs::write(folder.join(MANIFEST), manifest).unwrap();
    let changed = put_with(&Output::default(), &folder, &[("a.csv", "1")]).unwrap();
    assert_eq!(
        (changed, text(elsewhere.join("b.csv"))),
        (vec!["link/b.csv".to_owned()], "mine".into())
    );
}
