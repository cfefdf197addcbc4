//! Simulated runs against real ones: a model that errs as a simulated reader does is predicted.

use super::stand_in::rows;
use super::synthetic_desk::{ARMS, SyntheticDesk, planted};

#[test]
fn a_model_that_errs_as_simulated_is_predicted() {
    let desk = SyntheticDesk::new(40, planted());
    let (stdout, _) = desk.runs(&["validate", "desk.yaml", "--out", "v", "--threads", "4"], 0);
    assert!(stdout.contains("Simulated with rates fitted to answers of some-model ("), "{stdout}");
    let asked = desk.requests.count();
    desk.runs(&["validate", "desk.yaml", "--out", "w", "--threads", "1", "--replay"], 0);
    assert_eq!(desk.requests.count(), asked);
    for file in ["validation.csv", "validation_orders.csv", "validation.columns.csv"] {
        let read = |out: &str| std::fs::read_to_string(desk.path().join(out).join(file)).unwrap();
        assert!(read("v") == read("w"), "{file} depends on the number of threads");
    }
    let failures: Vec<_> = rows(&desk.path().join("v/validation.csv"))
        .into_iter()
        .filter(|row| row["measure"] == "failure")
        .collect();
    assert_eq!(failures.len(), 4, "every arm but the one that is fitted");
    let number = |row: &std::collections::BTreeMap<String, String>, column: &str| {
        row[column].parse::<f64>().unwrap()
    };
    let mut held = 0;
    for row in &failures {
        let (real, predicted) = (number(row, "real"), number(row, "predicted"));
        assert!((predicted - real).abs() < 0.12, "{row:?}");
        assert!(real > 0.05 && real < 0.98, "{row:?}");
        let (low, high) = (number(row, "predicted_low"), number(row, "predicted_high"));
        assert!(low <= predicted && predicted <= high, "{row:?}");
        held += usize::from(row["held"] == "yes");
    }
    assert!(held >= 3, "{failures:?}");
    // The outcomes of an arm add up to its failures.
    for arm in ["flat", "two", "eight", "filtered"] {
        let of_arm = rows(&desk.path().join("v/validation.csv"));
        let is_rate = |row: &&std::collections::BTreeMap<String, String>| {
            row["arm"] == arm && row["measure"] != "induced_misses"
        };
        let of_arm: Vec<_> = of_arm.iter().filter(is_rate).collect();
        for column in ["real", "predicted"] {
            let of = |failure: bool| -> f64 {
                let rows = of_arm.iter().filter(|row| (row["measure"] == "failure") == failure);
                rows.map(|row| number(row, column)).sum()
            };
            assert!((of(true) - of(false)).abs() < 1e-5, "{arm}, {column}");
        }
    }
    let orders = rows(&desk.path().join("v/validation_orders.csv"));
    assert_eq!(orders[0]["indicator"], "calibrated simulation");
    assert!(number(&orders[0], "spearman") > 0.5, "{orders:?}");
}

#[test]
fn what_cannot_be_validated_is_said_before_anything_is_asked() {
    let desk = SyntheticDesk::new(6, planted());
    let readers = desk.readers();
    desk.write("one_arm.yaml", "\n  - {id: one}\n", &readers, "");
    let (_, stderr) = desk.runs(&["validate", "one_arm.yaml", "--out", "v"], 1);
    assert_eq!(
        stderr,
        "error: one_arm.yaml: there is no arm to predict besides 'one', to whose answers the reader is fitted; name \
         another arm\n"
    );
    let (_, stderr) =
        desk.runs(&["validate", "desk.yaml", "--arms", "two", "--fit-arm", "two", "--out", "v"], 1);
    assert!(stderr.contains("there is no arm to predict besides 'two'"), "{stderr}");

    let one_unit = SyntheticDesk::new(1, planted());
    let (_, stderr) = one_unit.runs(&["validate", "desk.yaml", "--out", "v"], 1);
    assert!(stderr.contains("the tasks are one unit, and two are needed"), "{stderr}");

    let (_, stderr) = desk.runs(&["validate", "desk.yaml", "--fit-arm", "on", "--out", "v"], 2);
    assert!(stderr.contains("--fit-arm: no arm 'on'; there are one, flat"), "{stderr}");
    let (_, stderr) = desk.runs(&["validate", "desk.yaml", "--reader", "none", "--out", "v"], 2);
    assert!(stderr.contains("no reader 'none'; there are stand_in"), "{stderr}");
    let two = format!("{readers}\n{}", readers.replace("stand_in", "other"));
    desk.write("two_readers.yaml", ARMS, &two, "");
    let (_, stderr) = desk.runs(&["validate", "two_readers.yaml", "--out", "v"], 2);
    assert!(stderr.contains("choose one with --reader: stand_in, other"), "{stderr}");
    assert_eq!(desk.requests.count() + one_unit.requests.count(), 0);
    assert!(!desk.path().join("v").exists() && !one_unit.path().join("v").exists());
}

#[test]
fn two_units_are_few_but_no_panic() {
    let desk = SyntheticDesk::new(2, planted());
    let output =
        crate::support::program::run_in(desk.path(), &["validate", "desk.yaml", "--out", "v"]);
    let stderr = crate::support::program::stderr(&output);
    assert!(!stderr.contains("panicked"), "{stderr}");
    if !output.status.success() {
        let error = stderr.lines().find(|line| line.starts_with("error: desk.yaml: ")).unwrap();
        assert!(
            error.contains("the reader cannot be fitted to one half of the units of 'one'"),
            "{error}"
        );
    }
}

#[test]
fn a_limit_restricts_the_tasks_of_a_validation() {
    let desk = SyntheticDesk::new(40, planted());
    let arguments = ["validate", "desk.yaml", "--out", "v", "--max-reads", "500"];
    let output = crate::support::program::run_in(desk.path(), &arguments);
    let stderr = crate::support::program::stderr(&output);
    assert!(
        stderr.contains(" of the ") && stderr.contains("tasks are run, drawn at random"),
        "{stderr}"
    );
    // Wrong answers lead to readings that the estimate does not know; the limit holds all the same.
    assert!(output.status.success() || stderr.contains("but --max-reads allows only"), "{stderr}");
    assert!(desk.requests.count() <= 500);
}
