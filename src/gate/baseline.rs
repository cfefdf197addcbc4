//! Reads an earlier run from its `manifest.json` and the `tasks.csv` beside it, and decides what can be compared.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{GateMeasure, GateTaskOutcome};
use crate::output::OUTPUTS;
use crate::report::table::cell_text;
use crate::run::RunRecord;
use crate::run::record::ArmRecord;
use crate::scenario::Scenario;
use crate::visible_text::visible;

/// How far sums of rates in `tasks.csv` may be apart: each rate is rounded to six decimals.
const MAX_ROUNDING_ERROR: f64 = 1e-5;

/// The columns of `tasks.csv` that are compared, and those by which they are checked.
#[derive(Clone, Debug, Deserialize)]
struct BaselineTaskRow {
    arm: String,
    task: String,
    unit: String,
    right_action: String,
    p_failure: f64,
    p_correct: f64,
    p_stopped: f64,
    p_omission: f64,
    p_commission: f64,
    p_wrong_action: f64,
    /// Empty if the run counted no money.
    expected_loss: Option<f64>,
}

impl BaselineTaskRow {
    /// Describes a value that no run writes, out of range or in contradiction to others; `None` if there is none.
    fn invalid_value(&self) -> Option<String> {
        let loss = self.expected_loss.filter(|loss| !(0.0..f64::INFINITY).contains(loss));
        [
            ("p_failure", self.p_failure),
            ("p_correct", self.p_correct),
            ("p_stopped", self.p_stopped),
            ("p_omission", self.p_omission),
            ("p_commission", self.p_commission),
            ("p_wrong_action", self.p_wrong_action),
        ]
        .into_iter()
        .find_map(|(name, p)| {
            (!(0.0..=1.0).contains(&p)).then(|| format!("`{name}` is {p}, and not from 0 to 1"))
        })
        .or_else(|| loss.map(|loss| format!("`expected_loss` is {loss}, and not 0 or more")))
        .or_else(|| self.contradiction())
    }

    /// Describes a failure rate that is not the sum of the ways to fail, or that does not leave the rate of correct
    /// runs.
    fn contradiction(&self) -> Option<String> {
        let failed = self.p_stopped + self.p_omission + self.p_commission + self.p_wrong_action;
        let differs = [failed, 1.0 - self.p_correct]
            .into_iter()
            .find(|other| (other - self.p_failure).abs() > MAX_ROUNDING_ERROR)?;
        Some(format!(
            "`p_failure` is {}, and {differs:.6} by the columns of the outcomes",
            self.p_failure
        ))
    }
}

/// One task of one arm in the earlier run.
#[derive(Clone, Debug)]
pub struct BaselineTask {
    unit: String,
    right_action: String,
    pub(super) outcome: GateTaskOutcome,
}

/// An earlier run. Names are those of its scenario, without the quoting of CSV cells.
#[derive(Debug)]
pub struct GateBaseline {
    manifest: Json,
    /// Tasks by arm id and task id; arms in alphabetical order.
    arms: BTreeMap<String, HashMap<String, BaselineTask>>,
}

impl GateBaseline {
    /// Reads a manifest, given by its path or that of its folder, and the `tasks.csv` beside it.
    ///
    /// # Errors
    /// Files that are missing, that no run writes, or that were changed after the run.
    pub fn read(path: &Path) -> anyhow::Result<GateBaseline> {
        let manifest = match path.is_dir() {
            true => path.join("manifest.json"),
            false => path.to_owned(),
        };
        let json =
            read_json(&manifest).with_context(|| format!("the baseline {}", manifest.display()))?;
        if json.get("knockon").is_none() || json.get("inputs").is_none() {
            bail!("{} is not a manifest of a run", manifest.display());
        }
        let tasks = manifest.with_file_name("tasks.csv");
        let arms = read_tasks(&tasks)
            .with_context(|| format!("the baseline's tasks, {}", tasks.display()))?;
        // Without a checksum, an edited tasks.csv would be compared as if the run had written it.
        let outputs = json.get(OUTPUTS).and_then(Json::as_array);
        let listed = outputs.into_iter().flatten().find(|output| output["path"] == "tasks.csv");
        let Some(known) = listed.and_then(|output| output["blake3"].as_str()) else {
            bail!(
                "{} does not list tasks.csv with its checksum, so it cannot be told whether {} is as the run wrote it",
                manifest.display(),
                tasks.display()
            );
        };
        ensure!(
            known == blake3::hash(&crate::input_file::read(&tasks)?).to_hex().as_str(),
            "{} is not as the run wrote it: its checksum is another than in {}",
            tasks.display(),
            manifest.display()
        );
        Ok(GateBaseline { manifest: json, arms })
    }

    /// The tasks of an arm, by task id.
    pub(super) fn arm(&self, id: &str) -> Option<&HashMap<String, BaselineTask>> {
        self.arms.get(id)
    }

    /// The ids of the arms, in alphabetical order.
    pub fn arms(&self) -> Vec<&str> {
        self.arms.keys().map(String::as_str).collect()
    }

    /// The reasons why the two runs cannot be compared: different data, tasks or right actions. Empty if they can. The
    /// scenario file itself may differ, since it may contain the change that is being tested.
    pub fn incomparable_reasons(&self, scenario: &Scenario, record: &RunRecord) -> Vec<String> {
        let mut why = Vec::new();
        let name = self.manifest.get("scenario").and_then(Json::as_str).unwrap_or_default();
        if name != scenario.name {
            why.push(format!("it is of the scenario '{name}', and this is '{}'", scenario.name));
        }
        // The first input is the scenario's own file.
        let then: BTreeMap<&str, &str> = self
            .manifest_items("inputs")
            .skip(1)
            .filter_map(|i| Some((str_of(i, "path")?, str_of(i, "blake3")?)))
            .collect();
        let now: BTreeMap<&str, &str> =
            scenario.inputs.iter().skip(1).map(|i| (i.path.as_str(), i.blake3.as_str())).collect();
        for (path, hash) in &now {
            match then.get(path) {
                None => why.push(format!("it did not read {path}")),
                Some(known) if known != hash => why.push(format!("{path} has changed since")),
                Some(_) => {}
            }
        }
        for path in then.keys().filter(|path| !now.contains_key(*path)) {
            why.push(format!("it read {path}, which this scenario does not name"));
        }
        let Some(arm) = record.arms.first() else {
            return why;
        };
        let now_there: HashSet<&str> = arm.tasks.iter().map(|task| task.id.as_str()).collect();
        for (id, tasks) in &self.arms {
            let missing = arm.tasks.iter().filter(|task| !tasks.contains_key(&task.id));
            let missing: Vec<&str> = missing.map(|task| task.id.as_str()).collect();
            if let Some(first) = missing.first() {
                why.push(format!(
                    "its arm '{id}' lacks {} of {} tasks, '{first}' among them",
                    missing.len(),
                    arm.tasks.len()
                ));
            }
            let mut left: Vec<&str> =
                tasks.keys().map(String::as_str).filter(|task| !now_there.contains(task)).collect();
            // The tasks come from a hash map; sorting makes the message deterministic.
            left.sort_unstable();
            if let Some(first) = left.first() {
                why.push(format!(
                    "{} of the {} tasks of its arm '{id}' are not in this run, '{first}' among them",
                    left.len(),
                    tasks.len()
                ));
            }
            let differs = arm.tasks.iter().find_map(|task| {
                let known = tasks.get(&task.id)?;
                if known.right_action != task.right_action {
                    let (then, now) = (&known.right_action, &task.right_action);
                    return Some(format!("task '{}': right was '{then}' and is '{now}'", task.id));
                }
                // `tasks.csv` has units with control characters replaced.
                (known.unit != visible(&task.unit))
                    .then(|| format!("task '{}' was of the unit '{}'", task.id, known.unit))
            });
            why.extend(differs);
        }
        why.dedup();
        why
    }

    /// Names an assumption of the arm that has changed since the earlier run, and that alone could cause a difference.
    pub(super) fn differing_assumption(
        &self,
        scenario: &Scenario,
        arm: &ArmRecord,
        against: &str,
        measure: GateMeasure,
    ) -> Option<String> {
        let Some(then) =
            self.manifest_items("arms").find(|told| str_of(told, "id") == Some(against))
        else {
            return Some(format!("the manifest of the earlier run has no arm '{against}'"));
        };
        let reader = serde_json::to_value(&arm.reader).ok()?;
        if then.get("reader") != Some(&reader) {
            return Some("the reader's parameters have changed since".to_owned());
        }
        let simulation = &scenario.simulation;
        if self.manifest.get("seed") != Some(&Json::from(simulation.seed))
            || self.manifest.get("trials") != Some(&Json::from(simulation.trials))
        {
            return Some("the seed or the number of trials has changed since".to_owned());
        }
        if measure == GateMeasure::Loss {
            let impact = scenario.impact.as_ref()?;
            let now = crate::report::manifest::impact(scenario, impact);
            let then = self.manifest.get("impact").map(loss_assumptions);
            if then.is_some_and(|then| then != loss_assumptions(&now)) {
                return Some("the loss rules or their variables have changed since".to_owned());
            }
        }
        None
    }

    /// The embedders whose fingerprint or settings have changed: allowed, since they may be what is being tested.
    pub fn changed_embedders(&self, manifest: &Json) -> Vec<String> {
        let now: Vec<&Json> =
            manifest.get("embedders").and_then(Json::as_array).into_iter().flatten().collect();
        let changed = now.iter().filter_map(|embedder| {
            let name = str_of(embedder, "name")?;
            match self.manifest_items("embedders").find(|then| str_of(then, "name") == Some(name)) {
                None => Some(format!("{name} (new)")),
                Some(then) if then != *embedder => Some(name.to_owned()),
                Some(_) => None,
            }
        });
        changed.collect()
    }

    fn manifest_items(&self, key: &str) -> impl Iterator<Item = &Json> {
        self.manifest.get(key).and_then(Json::as_array).into_iter().flatten()
    }
}

/// Reads the tasks by arm id and task id. A task that occurs twice is an error, since either row could be the right
/// one.
fn read_tasks(path: &Path) -> anyhow::Result<BTreeMap<String, HashMap<String, BaselineTask>>> {
    let mut reader = csv::Reader::from_reader(crate::input_file::open(path)?);
    let mut arms: BTreeMap<String, HashMap<String, BaselineTask>> = BTreeMap::new();
    let headers = reader.headers()?.clone();
    for record in reader.into_records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let row: BaselineTaskRow = record.deserialize(Some(&headers))?;
        if let Some(problem) = row.invalid_value() {
            bail!("line {line}: {problem}");
        }
        let (arm, task) = (cell_text(&row.arm).to_owned(), cell_text(&row.task).to_owned());
        let told = format!("line {line}: task '{task}' of arm '{arm}' was there before");
        let known = BaselineTask {
            unit: cell_text(&row.unit).to_owned(),
            right_action: cell_text(&row.right_action).to_owned(),
            outcome: GateTaskOutcome {
                failure: row.p_failure,
                stopped: row.p_stopped,
                loss: row.expected_loss,
            },
        };
        let before = arms.entry(arm).or_default().insert(task, known);
        ensure!(before.is_none(), "{told}");
    }
    Ok(arms)
}

fn read_json(path: &Path) -> anyhow::Result<Json> {
    let bytes = crate::input_file::read(path)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The assumptions of a manifest's impact section on which the loss of a case depends.
fn loss_assumptions(impact: &Json) -> Vec<Json> {
    let all = impact.get("assumptions").and_then(Json::as_array).cloned();
    // Prices of calls and the volume of cases do not affect the loss of a case.
    all.into_iter().flatten().filter(|a| !is_price_or_volume(a)).collect()
}

fn is_price_or_volume(assumption: &Json) -> bool {
    let name = str_of(assumption, "name").unwrap_or_default();
    name.starts_with("search.") || name == "read" || name == "volume"
}

fn str_of<'a>(json: &'a Json, key: &str) -> Option<&'a str> {
    json.get(key)?.as_str()
}
