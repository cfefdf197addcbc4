//! From recorded answers to a measured reader, and to what reports say about it.

use std::collections::BTreeMap;

use knockon::scenario::{MeasuredReader, ReaderParameter};

use super::stand_in::rows;
use super::synthetic_desk::{ARMS, SyntheticDesk, planted};

fn manifest(desk: &SyntheticDesk, out: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(desk.path().join(out).join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn planted_rates_are_fitted_named_and_validated() {
    let desk = SyntheticDesk::new(20, planted());
    let (stdout, _) =
        desk.runs(&["calibrate", "desk.yaml", "--arms", "one,flat,eight", "--accept"], 0);
    assert!(stdout.contains("readings by some-model in synthetic_desk"), "{stdout}");
    let asked = desk.requests.count();
    let path = desk.path().join("readers/stand_in.yaml");
    let rates = MeasuredReader::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((rates.model.as_str(), rates.scenario.as_str()), ("some-model", "synthetic_desk"));
    assert_eq!(rates.arms, ["one", "flat", "eight"]);
    let truth = planted();
    for parameter in
        [ReaderParameter::Misread, ReaderParameter::Follow, ReaderParameter::DistractedAbove]
    {
        let rate = rates.rates[parameter.name()];
        // Twice the half-width: one interval of twenty does not hold the planted rate.
        let slack = rate.high - rate.low;
        let planted = *truth.get(parameter);
        let held = (rate.value - slack..=rate.value + slack).contains(&planted);
        assert!(held, "{}: {rate:?} against {planted}", parameter.name());
    }

    // Again, from what was recorded: the same file, whoever names it.
    let before = std::fs::read_to_string(&path).unwrap();
    let readers =
        format!("{}\n  m: {{kind: measured, file: readers/stand_in.yaml}}", desk.readers());
    let sensitivity = "sensitivity: {}\n";
    desk.write("measured.yaml", ARMS, &readers, sensitivity);
    let text = std::fs::read_to_string(desk.path().join("measured.yaml")).unwrap();
    let text = text.replacen("reader: {preset: gpt-4o}", "reader: m", 1);
    std::fs::write(desk.path().join("measured.yaml"), text).unwrap();
    let (stdout, _) = desk.runs(
        &[
            "calibrate",
            "measured.yaml",
            "--reader",
            "stand_in",
            "--arms",
            "one,flat,eight",
            "--accept",
        ],
        0,
    );
    assert!(stdout.contains("Reader: readers/stand_in.yaml"), "{stdout}");
    let reference = |text: &str| text.contains("preset: \"gpt-4o\"");
    assert!(reference(&before));
    assert_eq!(desk.requests.count(), asked, "something was asked twice");
    std::fs::write(&path, &before).unwrap();

    // The scenario that names it.
    let (stdout, _) = desk.runs(&["run", "measured.yaml", "--out", "r"], 0);
    let never = format!(
        "Simulated with rates measured on some-model, {} readings; its predictions were never compared with real runs.",
        rates.reads
    );
    let sentence = stdout.lines().find(|line| line.starts_with("Simulated with rates")).unwrap();
    assert!(
        sentence.ends_with("its predictions were never compared with real runs."),
        "{sentence}"
    );
    if rates.fit == "fits" {
        assert_eq!(sentence, never);
    }
    let of_manifest = manifest(&desk, "r");
    assert_eq!(of_manifest["readers"], serde_json::json!([sentence]));
    let page = std::fs::read_to_string(desk.path().join("r/report.html")).unwrap();
    assert!(page.contains("its predictions were never compared with real runs"));

    // Tags and ranges.
    let parameters = of_manifest["arms"][0]["reader"]["parameters"].as_array().unwrap();
    let of_parameters: BTreeMap<&str, &serde_json::Value> =
        parameters.iter().map(|p| (p["name"].as_str().unwrap(), p)).collect();
    let varied = rows(&desk.path().join("r/sensitivity.csv"));
    let mut seen = 0;
    for (name, rate) in &rates.rates {
        assert_eq!(of_parameters[name.as_str()]["tag"], "measured", "{name}");
        for row in varied.iter().filter(|row| row["assumption"] == format!("reader.{name}")) {
            seen += 1;
            assert_eq!(row["tag"], "measured", "{row:?}");
            for (column, expected) in
                [("low", rate.low), ("high", rate.high), ("value", rate.value)]
            {
                let cell: f64 = row[column].parse().unwrap();
                assert!(
                    (cell - expected).abs() < 1e-6,
                    "{name}, {column}: {cell} against {expected}"
                );
            }
        }
    }
    assert!(seen > 0, "{varied:?}");
    for (name, parameter) in of_parameters {
        assert!(rates.rates.contains_key(name) || parameter["tag"] != "measured", "{name}");
    }

    // Validated, the sentence changes.
    let validate =
        "validate measured.yaml --reader stand_in --out v --note-in readers/stand_in.yaml";
    let validate: Vec<&str> = validate.split(' ').collect();
    let (stdout, _) = desk.runs(&validate, 0);
    assert!(stdout.contains("95% intervals held"), "{stdout}");
    let noted = MeasuredReader::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let [validation] = noted.validations.as_slice() else { panic!("{noted:?}") };
    assert_eq!(MeasuredReader { validations: Vec::new(), ..noted.clone() }, rates);
    let (stdout, _) = desk.runs(&["run", "measured.yaml", "--out", "r"], 0);
    let sentence = stdout.lines().find(|line| line.starts_with("Simulated with rates")).unwrap();
    let expected = format!(
        "; on this scenario predictions were within {:.1} points of real runs ({} of 4 intervals held).",
        100.0 * validation.greatest_error,
        validation.held
    );
    assert!(sentence.ends_with(&expected), "{sentence} should end with {expected}");
    assert_eq!(manifest(&desk, "r")["readers"], serde_json::json!([sentence]));
    // Once more: the note is replaced.
    desk.runs(&validate, 0);
    let again = MeasuredReader::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(again.validations, noted.validations);
}

#[test]
fn a_number_of_readings_is_a_limit_and_the_choice_does_not_depend_on_answers() {
    let desk = SyntheticDesk::new(12, planted());
    desk.runs(&["calibrate", "desk.yaml", "--reads", "60", "--accept", "--out", "first.yaml"], 0);
    let asked = desk.requests.count();
    assert!(asked <= 60, "{asked}");
    desk.runs(&["calibrate", "desk.yaml", "--reads", "60", "--accept", "--out", "second.yaml"], 0);
    assert_eq!(desk.requests.count(), asked, "another choice was made");
    let read = |name: &str| std::fs::read_to_string(desk.path().join(name)).unwrap();
    assert_eq!(read("first.yaml"), read("second.yaml"));
    desk.runs(
        &["calibrate", "desk.yaml", "--reads", "60", "--accept", "--replay", "--out", "third.yaml"],
        0,
    );
    assert_eq!(read("first.yaml"), read("third.yaml"));
    let (_, stderr) = desk.runs(&["calibrate", "desk.yaml", "--reads", "90", "--replay"], 1);
    assert!(stderr.contains("only recordings may be used"), "{stderr}");
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_asked() {
    let desk = SyntheticDesk::new(4, planted());
    std::fs::write(desk.path().join("mine.yaml"), "mine: true\n").unwrap();
    for (arguments, why) in [
        (&["calibrate", "desk.yaml", "--out", "mine.yaml"][..], "mine.yaml"),
        (&["calibrate", "desk.yaml", "--out", "desk.yaml", "--force"], "desk.yaml"),
        (
            &["validate", "desk.yaml", "--out", "v", "--note-in", "mine.yaml"],
            "mine.yaml: line 1 column 1: unknown field `mine`",
        ),
        (
            &["validate", "desk.yaml", "--out", "v", "--note-in", "nowhere.yaml"],
            "cannot read nowhere.yaml",
        ),
    ] {
        let output = crate::support::program::run_in(desk.path(), arguments);
        let stderr = crate::support::program::stderr(&output);
        assert!(!output.status.success() && stderr.contains(why), "{arguments:?}: {stderr}");
    }
    assert_eq!(desk.requests.count(), 0);
    assert_eq!(std::fs::read_to_string(desk.path().join("mine.yaml")).unwrap(), "mine: true\n");
}

/// Fewer readings than anything can be fitted to.
#[test]
fn too_few_readings_are_a_clear_error() {
    let desk = SyntheticDesk::new(1, planted());
    let (_, stderr) = desk.runs(&["calibrate", "desk.yaml", "--reads", "1"], 1);
    assert!(
        stderr.contains("error: desk.yaml: 1 readings are too few to fit any rate"),
        "{stderr}"
    );
    assert!(!desk.path().join("readers").exists());
}
