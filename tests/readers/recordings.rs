//! Each prompt is asked once, whatever is run, however often, and however it ends; and what is asked is what the
//! simulated reader would have read.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use knockon::Session;
use knockon::run::readings::{read_arms, record_readings};
use knockon::session::ReadingMode;
use knockon::step::reader::ReaderRates;

use super::small_desk::{self, FOLLOWS, SmallDesk, chat};
use super::stand_in::{self, assert_same_tables, completion, rows};
use crate::support::program;
use crate::support::scenarios::load;

#[test]
fn a_model_that_reads_as_a_simulated_reader_gives_the_same_tables() {
    for (rates, reader) in
        [(ReaderRates::default(), "{preset: perfect}"), (small_desk::follows(), FOLLOWS)]
    {
        let desk = SmallDesk::new();
        let requests = desk.serve(rates, "");
        desk.simulated("simulated.yaml", reader);
        let (stdout, stderr) = desk.runs(&["run", "asked.yaml", "--out", "asked"], 0);
        assert!(stderr.contains("readings are not recorded yet and will be asked for"), "{stderr}");
        assert!(stdout.contains("Really read by some-model: "), "{stdout}");
        desk.runs(&["run", "simulated.yaml", "--out", "simulated"], 0);
        assert_same_tables(&desk.path().join("asked"), &desk.path().join("simulated"));
        // A test of the test: there are searches that only a wrong reference leads to, and retries.
        let causes = rows(&desk.path().join("asked/misses.csv"));
        assert!(!causes.is_empty());
        assert_eq!(requests.times().values().max(), Some(&1), "a prompt was asked twice");
        assert_eq!(requests.count(), desk.recorded().len());
        if reader == FOLLOWS {
            let summary = rows(&desk.path().join("asked/summary.csv"));
            assert!(summary[0]["p_wrong_action"].parse::<f64>().unwrap() > 0.1, "{:?}", summary[0]);
        }
    }
}

#[test]
fn the_reader_of_an_arm_and_of_the_command_line_read_the_same() {
    let desk = SmallDesk::new();
    let requests = desk.serve(small_desk::follows(), "");
    let address = address(&desk);
    let readers = format!("  stand_in: {}", chat(&address, ""));
    let arms = "[{id: one}, {id: deep, top_k: 3, reader: stand_in}]";
    desk.write_with("mixed.yaml", &readers, FOLLOWS, arms, "");
    desk.write("chosen.yaml", &readers, FOLLOWS);
    desk.simulated("simulated.yaml", FOLLOWS);
    desk.runs(&["run", "mixed.yaml", "--out", "mixed"], 0);
    let of_one_arm = requests.count();
    desk.runs(&["run", "chosen.yaml", "--reader", "stand_in", "--out", "chosen"], 0);
    assert!(requests.count() > of_one_arm);
    desk.runs(&["run", "chosen.yaml", "--out", "not_chosen"], 0);
    desk.runs(&["run", "simulated.yaml", "--out", "simulated"], 0);
    let folder = |name: &str| desk.path().join(name);
    for name in ["mixed", "chosen", "not_chosen"] {
        assert_same_tables(&folder(name), &folder("simulated"));
    }
    assert_eq!(requests.times().values().max(), Some(&1), "a prompt was asked twice");

    let (_, stderr) = desk.runs(&["run", "chosen.yaml", "--reader", "standin", "--out", "x"], 2);
    assert_eq!(
        stderr,
        "error: --reader: no reader 'standin'; there are stand_in; did you mean `stand_in`?\n"
    );
    let (_, stderr) = desk.runs(&["run", "simulated.yaml", "--reader", "x", "--out", "x"], 2);
    assert_eq!(stderr, "error: --reader: no reader 'x'; the scenario declares none\n");
    assert!(!folder("x").exists());
}

/// The address of the reader of `asked.yaml`.
fn address(desk: &SmallDesk) -> String {
    let text = std::fs::read_to_string(desk.path().join("asked.yaml")).unwrap();
    text.split("url: \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn what_was_recorded_is_replayed_and_asks_nothing() {
    let desk = SmallDesk::new();
    let requests = desk.serve(small_desk::follows(), "");
    let (stdout, _) = desk.runs(&["record", "asked.yaml"], 0);
    let asked = requests.count();
    assert!(stdout.contains(&format!("{asked} distinct prompts")), "{stdout}");
    assert_eq!(desk.recorded().len(), asked);
    let before = std::fs::read(desk.path().join("recordings/stand_in.jsonl")).unwrap();
    desk.runs(&["run", "asked.yaml", "--replay", "--out", "replayed"], 0);
    // Without --replay there is nothing left to ask either, and no note.
    let (_, stderr) = desk.runs(&["run", "asked.yaml", "--out", "again", "--threads", "1"], 0);
    assert!(!stderr.contains("readings are not recorded"), "{stderr}");
    desk.runs(&["record", "asked.yaml"], 0);
    assert_eq!(requests.count(), asked, "something was asked again");
    assert_same_tables(&desk.path().join("replayed"), &desk.path().join("again"));
    for file in ["manifest.json", "report.html"] {
        let read = |out: &str| std::fs::read_to_string(desk.path().join(out).join(file)).unwrap();
        assert!(read("replayed") == read("again"), "{file} differs");
    }
    assert!(before == std::fs::read(desk.path().join("recordings/stand_in.jsonl")).unwrap());
}

#[test]
fn plain_runs_need_fewer_readings() {
    let desk = SmallDesk::new();
    let requests = desk.serve(small_desk::follows(), "");
    desk.runs(&["record", "asked.yaml", "--plain"], 0);
    let plain = requests.count();
    let (_, stderr) = desk.runs(&["run", "asked.yaml", "--replay", "--out", "r"], 1);
    assert!(stderr.contains("recordings/stand_in.jsonl"), "{stderr}");
    desk.runs(&["record", "asked.yaml"], 0);
    assert!(plain < requests.count());
    assert_eq!(requests.times().values().max(), Some(&1), "a prompt was asked twice");
    desk.runs(&["run", "asked.yaml", "--replay", "--out", "r"], 0);
}

#[test]
fn a_prompt_that_is_not_recorded_is_one_error() {
    let desk = SmallDesk::new();
    let requests = desk.serve(small_desk::follows(), "");
    desk.runs(&["record", "asked.yaml"], 0);
    let asked = requests.count();
    let path = desk.path().join("recordings/stand_in.jsonl");
    let lines = desk.recorded();
    // The first prompt of the first step, which every run needs.
    let gone = lines
        .iter()
        .position(|line| {
            line["messages"][0]["content"].as_str().unwrap().starts_with("reference\n")
        })
        .unwrap();
    let key = |line: &serde_json::Value| line["key"].as_str().unwrap()[..12].to_owned();
    let keys: BTreeSet<String> = lines.iter().map(key).collect();
    let kept = lines.iter().enumerate().filter(|(at, _)| *at != gone);
    let kept: String = kept.map(|(_, line)| format!("{line}\n")).collect();
    std::fs::write(&path, kept).unwrap();
    let (stdout, stderr) = desk.runs(&["run", "asked.yaml", "--replay", "--out", "r"], 1);
    assert_eq!((stdout.as_str(), stderr.lines().count()), ("", 1), "{stderr}");
    let (start, rest) = stderr.split_once("; the nearest recorded prompt is ").unwrap();
    assert!(start.starts_with("error: asked.yaml: the reader stand_in: 1 of "), "{stderr}");
    assert!(
        start.contains(" prompts are not in recordings/stand_in.jsonl, and only recordings may be used; `knockon record` adds them: not recorded: "),
        "{stderr}"
    );
    assert!(keys.contains(&rest[..12]) && key(&lines[gone]) != rest[..12], "{stderr}");
    assert_eq!(requests.count(), asked);
    assert!(!desk.path().join("r").exists());
    // The same through the library, which restores it when it may ask.
    let scenario = load(&desk.path().join("asked.yaml"));
    let session = Session::over(&scenario).with_reading_mode(ReadingMode::ReplayOnly);
    let question = knockon::compile::CompileQuestion::Run;
    let error = record_readings(&session, &read_arms(session.scenario(), &[0, 1], None), &question)
        .unwrap_err();
    assert!(format!("{error:#}").contains("only recordings may be used"), "{error:#}");
    let session = Session::over(&scenario);
    let totals =
        record_readings(&session, &read_arms(session.scenario(), &[0, 1], None), &question)
            .unwrap();
    assert_eq!((totals.unparsable, requests.count()), (0, asked + 1));
}

#[test]
fn a_killed_recording_resumes_and_asks_nothing_twice() {
    let straight = SmallDesk::new();
    straight.serve(small_desk::follows(), "");
    straight.runs(&["run", "asked.yaml", "--out", "r"], 0);

    let desk = SmallDesk::new();
    let write = |address: &str| desk.asked("asked.yaml", address, "concurrency: 2, ");
    let (_, requests) = stand_in::simulated(small_desk::follows(), write, |_, text| {
        std::thread::sleep(Duration::from_millis(10));
        completion(&text)
    });
    for lines in [5, 25] {
        let mut command = program::command();
        command.args(["record", "asked.yaml"]).current_dir(desk.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        let written = || {
            let text = std::fs::read_to_string(desk.path().join("recordings/stand_in.jsonl"));
            text.map_or(0, |text| text.matches('\n').count())
        };
        while written() < lines {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it was killed");
            assert!(start.elapsed() < Duration::from_secs(60), "nothing is recorded");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was faster than the kill");
    }
    let recorded = desk.recorded().len();
    assert!((25..straight.recorded().len()).contains(&recorded), "{recorded}");
    let known: BTreeSet<String> = desk.recorded().iter().map(asked_prompt).collect();
    let before = requests.count();
    desk.runs(&["record", "asked.yaml"], 0);
    let later: Vec<String> = requests.prompts().split_off(before);
    assert!(later.iter().all(|prompt| !known.contains(prompt)), "a recorded prompt was asked");
    // What was on its way when the process was killed cannot be known.
    let twice: usize = requests.times().values().map(|times| times - 1).sum();
    assert!(twice <= 2 * 2, "{twice} prompts were asked twice");
    desk.runs(&["run", "asked.yaml", "--replay", "--out", "r"], 0);
    assert_same_tables(&desk.path().join("r"), &straight.path().join("r"));
}

fn asked_prompt(line: &serde_json::Value) -> String {
    line["messages"][0]["content"].as_str().unwrap().to_owned()
}

#[test]
fn a_line_that_was_cut_off_is_asked_again_and_noted() {
    let desk = SmallDesk::new();
    let requests = desk.serve(small_desk::follows(), "");
    desk.runs(&["record", "asked.yaml"], 0);
    let asked = requests.count();
    let path = desk.path().join("recordings/stand_in.jsonl");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    let (_, stderr) = desk.runs(&["run", "asked.yaml", "--replay", "--out", "r"], 1);
    assert!(stderr.contains("1 of "), "{stderr}");
    let (_, stderr) = desk.runs(&["record", "asked.yaml"], 0);
    assert!(stderr.contains("the last line is cut off and was dropped"), "{stderr}");
    assert_eq!(requests.count(), asked + 1);
    assert_eq!(desk.recorded().len(), asked);
    // A line that was changed is not used silently.
    let text = std::fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    std::fs::write(&path, format!("{}\n{rest}", first.replacen("agreement", "arrangement", 1)))
        .unwrap();
    for command in [&["check", "asked.yaml"][..], &["run", "asked.yaml", "--out", "r"]] {
        let (_, stderr) = desk.runs(command, 1);
        assert!(stderr.contains("error[bad-data]: ") && stderr.contains("line 1"), "{stderr}");
        assert!(stderr.contains("the line was changed"), "{stderr}");
    }
}

#[test]
fn a_damaged_recording_is_reported_before_anything_is_asked() {
    let desk = SmallDesk::new();
    let requests = desk.serve(small_desk::follows(), "recordings: mine.jsonl, ");
    std::fs::write(desk.path().join("mine.jsonl"), "{\"knockon_recording\": 2}\n").unwrap();
    for command in [&["check", "asked.yaml"][..], &["record", "asked.yaml"]] {
        let (_, stderr) = desk.runs(command, 1);
        assert!(
            stderr.contains("error[bad-data]: ") && stderr.contains("mine.jsonl, line 1"),
            "{stderr}"
        );
        assert!(stderr.contains("a later version wrote"), "{stderr}");
        assert!(stderr.contains("--> asked.yaml:8:"), "{stderr}");
    }
    assert_eq!(requests.count(), 0);
}
