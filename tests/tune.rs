//! Tuning a random model of a few kilobytes, from files to files.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use knockon::Environment;
use knockon::embed::{EmbeddingVectors, ModelKind, ModelPrecision, ModelSpec, TextRole};
use knockon::output::OutputWriter;
use knockon::progress::{NoProgress, ProgressEvent, ProgressListener};
use knockon::train::{
    TrainingTexts, TuningArm, TuningMethod, TuningOutcome, TuningRecipe, TuningRequest, tune,
};
use safetensors::SafeTensors;

use crate::support::models::open;

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed/tiny/bert")
}

/// Cancels after a number of steps, as a user would.
struct CancelAfter(AtomicUsize);

impl ProgressListener for CancelAfter {
    fn on_event(&self, event: &ProgressEvent<'_>) {
        if matches!(event, ProgressEvent::Advanced { .. }) {
            assert!(self.0.fetch_sub(1, Ordering::Relaxed) > 1, "broken off");
        }
    }
}

fn texts() -> TrainingTexts {
    let dir = tempfile::tempdir().unwrap();
    let (near, pairs) = (dir.path().join("near.csv"), dir.path().join("pairs.jsonl"));
    let mut csv = "anchor,positive,negative,category\n".to_owned();
    let mut json = String::new();
    for (i, who) in ["seller", "buyer", "bank", "tenant", "agent", "court"].iter().enumerate() {
        for (j, what) in ["pays", "sues", "calls", "sees"].iter().enumerate() {
            let sentence = format!("the {who} {what} the owner {i}");
            csv += &format!("{sentence},{sentence},the owner {i} {what} the {who},role_swap\n");
            csv +=
                &format!("{sentence},{sentence},the {who} never {what} the owner {i},negation\n");
            json += &format!(
                "{{\"query\": \"who {what} {i}?\", \"passage\": \"it is {who} who {what} at {j}{i}\"}}\n"
            );
        }
    }
    std::fs::write(&near, csv).unwrap();
    std::fs::write(&pairs, json).unwrap();
    TrainingTexts::read(&near, &pairs, &[], &NoProgress).unwrap()
}

fn recipe(method: TuningMethod) -> TuningRecipe {
    TuningRecipe { steps: 24, batch: 8, rate: 3e-3, rank: 2, ..TuningRecipe::new(method) }
}

fn request<'a>(
    base: &'a str,
    recipe: TuningRecipe,
    texts: &'a TrainingTexts,
    out: &Path,
) -> TuningRequest<'a> {
    let arms =
        [TuningArm::Structural, TuningArm::Control].map(|arm| (arm, out.join(arm.name()))).to_vec();
    TuningRequest {
        base,
        recipe,
        texts,
        arms,
        checkpoint_every: 5,
        environment: Environment::from_process(),
    }
}

fn train(recipe: TuningRecipe, texts: &TrainingTexts, out: &Path) -> Vec<TuningOutcome> {
    let base = base();
    let never = CancelAfter(AtomicUsize::new(usize::MAX));
    tune(&request(base.to_str().unwrap(), recipe, texts, out), &never).unwrap()
}

/// Every file below a directory, by its relative path.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), PathBuf::from(e.file_name()))).unwrap();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (name.join(below), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

const SAID: [&str; 3] =
    ["the seller pays the owner 3", "the owner never calls", "who sees the court"];

fn vectors(model: &Path, adapter: Option<&Path>, precision: ModelPrecision) -> EmbeddingVectors {
    let spec = ModelSpec::new(ModelKind::Transformer, model.to_str().unwrap());
    let adapter = adapter.map(|dir| dir.to_str().unwrap().to_owned());
    let spec = ModelSpec { adapter, ..spec.with_precision(precision) };
    open(&spec).unwrap().embed(TextRole::Passage, &SAID, &|_| {}).unwrap()
}

fn apart(a: &EmbeddingVectors, b: &EmbeddingVectors) -> f32 {
    assert_eq!(a.data.len(), b.data.len());
    a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The shape and numbers of a tensor.
fn tensor(file: &Path, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let view = tensors.tensor(name).unwrap();
    let numbers = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    (view.shape().to_vec(), numbers)
}

#[test]
fn the_loss_falls_and_the_model_changes() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let before = vectors(&base(), None, ModelPrecision::F32);
    for method in TuningMethod::ALL {
        let out = dir.path().join(method.name());
        for outcome in train(recipe(method), &texts, &out) {
            let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
            let (first, last) = (mean(&outcome.losses[..5]), mean(&outcome.losses[19..]));
            println!("{method:?} {:?}: {first} -> {last}", outcome.arm);
            assert!(last < first, "{method:?} {:?}: {first} -> {last}", outcome.arm);
            let after = match method {
                TuningMethod::Lora => vectors(&base(), Some(&outcome.dir), ModelPrecision::F32),
                _ => vectors(&outcome.dir, None, ModelPrecision::F32),
            };
            assert!(apart(&before, &after) > 1e-3);
        }
    }
}

#[test]
fn threads_and_interruptions_do_not_change_the_files() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let base = base();
    for method in [TuningMethod::Full, TuningMethod::Lora, TuningMethod::Adapter] {
        let once = dir.path().join(method.name()).join("once");
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool(1).install(|| train(recipe(method), &texts, &once));
        let again = dir.path().join(method.name()).join("again");
        // In the first arm between checkpoints, in the second directly after one.
        for steps in [13, 14 + 5] {
            let until = CancelAfter(AtomicUsize::new(steps));
            let request = request(base.to_str().unwrap(), recipe(method), &texts, &again);
            let broken = AssertUnwindSafe(|| pool(3).install(|| tune(&request, &until)));
            assert!(catch_unwind(broken).is_err());
        }
        let outcomes = pool(3).install(|| train(recipe(method), &texts, &again));
        assert!(outcomes[0].already_finished && !outcomes[1].already_finished);
        let (once, again) = (files(&once), files(&again));
        assert_eq!(once.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
        for (path, bytes) in &once {
            assert!(*bytes == again[path], "{method:?}: {} differs", path.display());
        }
    }
}

/// The directory of an arm with the checkpoint of a run interrupted after a step, and that file.
fn broken_off(dir: &Path, recipe: &TuningRecipe, texts: &TrainingTexts) -> PathBuf {
    let (base, until) = (base(), CancelAfter(AtomicUsize::new(6)));
    let request = request(base.to_str().unwrap(), recipe.clone(), texts, dir);
    assert!(catch_unwind(AssertUnwindSafe(|| tune(&request, &until))).is_err());
    dir.join("structural/checkpoint.safetensors")
}

/// The error of a run that finds this checkpoint; `None` if it resumes.
fn refusal(dir: &Path, recipe: &TuningRecipe, texts: &TrainingTexts) -> Option<String> {
    let (base, until) = (base(), CancelAfter(AtomicUsize::new(0)));
    let request = request(base.to_str().unwrap(), recipe.clone(), texts, dir);
    match catch_unwind(AssertUnwindSafe(|| tune(&request, &until))) {
        // Interrupted in its first step.
        Err(_) => None,
        Ok(ended) => Some(format!("{:#}", ended.unwrap_err())),
    }
}

#[test]
fn a_checkpoint_with_a_flipped_bit_is_never_resumed() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let recipe = recipe(TuningMethod::Lora);
    let file = broken_off(dir.path(), &recipe, &texts);
    let good = std::fs::read(&file).unwrap();
    assert_eq!(refusal(dir.path(), &recipe, &texts), None, "a whole one is gone on from");
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let in_header = (0..8 * (8 + header)).step_by(5);
    let in_numbers = (8 * (8 + header)..8 * good.len()).step_by(1009);
    let mut tried = 0;
    for bit in in_header.chain(in_numbers) {
        let mut damaged = good.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&file, &damaged).unwrap();
        let refusal_text = refusal(dir.path(), &recipe, &texts);
        assert!(refusal_text.is_some(), "bit {bit} of {} was taken", 8 * good.len());
        tried += 1;
    }
    assert!(tried > 500, "{tried}");
    for cut in [0, 7, 8 + header, good.len() - 4] {
        std::fs::write(&file, &good[..cut]).unwrap();
        assert!(refusal(dir.path(), &recipe, &texts).is_some(), "{cut} bytes");
    }
}

#[test]
fn a_changed_result_is_not_accepted_as_trained() {
    let texts = texts();
    for method in [TuningMethod::Full, TuningMethod::Lora, TuningMethod::Adapter] {
        let dir = tempfile::tempdir().unwrap();
        let recipe = TuningRecipe { steps: 6, ..recipe(method) };
        train(recipe.clone(), &texts, dir.path());
        let never = || CancelAfter(AtomicUsize::new(usize::MAX));
        let base = base();
        let again = || {
            let request = request(base.to_str().unwrap(), recipe.clone(), &texts, dir.path());
            tune(&request, &never()).map_err(|error| format!("{error:#}"))
        };
        assert!(again().unwrap().iter().all(|outcome| outcome.already_finished));
        let below = dir.path().join("structural");
        let mut tried = 0;
        for (name, good) in files(&below) {
            let path = below.join(&name);
            // Flipped bits at the beginning, in the middle and at the end, and files cut short, extended or missing.
            let mut changes: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new())];
            changes.push(Some([&good[..], b" "].concat()));
            changes.push(Some(good[..good.len() - 1].to_vec()));
            for (place, bit) in
                [(0, 0), (good.len() / 3, 5), (good.len() / 2, 2), (good.len() - 2, 1)]
            {
                let mut damaged = good.clone();
                damaged[place] ^= 1 << bit;
                changes.push(Some(damaged));
            }
            for change in changes {
                match &change {
                    Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                    // Without its note a folder is not a result, and is trained again.
                    None if name.ends_with("training.json") => continue,
                    None => std::fs::remove_file(&path).unwrap(),
                }
                let refusal_text = again().unwrap_err();
                assert!(refusal_text.contains("structural"), "{refusal_text}");
                tried += 1;
            }
            std::fs::write(&path, &good).unwrap();
        }
        assert!(again().is_ok(), "{method:?}: all is as it was");
        assert!(tried >= 30, "{method:?}: {tried}");
    }
}

#[test]
fn a_changed_result_is_reported_with_a_remedy() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let recipe = TuningRecipe { steps: 6, ..recipe(TuningMethod::Full) };
    train(recipe.clone(), &texts, dir.path());
    let file = dir.path().join("control/model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 64;
    std::fs::write(&file, bytes).unwrap();
    let refusal_text = refusal(dir.path(), &recipe, &texts).unwrap();
    for part in [
        "control",
        "model.safetensors was changed since it was written",
        "delete it to train again",
    ] {
        assert!(refusal_text.contains(part), "{refusal_text}");
    }
    // A note of an earlier program, without checksums.
    let note = dir.path().join("control/training.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
    json.as_object_mut().unwrap().retain(|key, _| key != "checksum" && key != "blake3");
    std::fs::write(&note, json.to_string()).unwrap();
    let refusal_text = refusal(dir.path(), &recipe, &texts).unwrap();
    assert!(refusal_text.contains("training.json has no checksums"), "{refusal_text}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_refused_without_blocking() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let recipe = TuningRecipe { steps: 6, ..recipe(TuningMethod::Lora) };
    std::fs::create_dir_all(dir.path().join("structural")).unwrap();
    for name in ["checkpoint.safetensors", "training.json"] {
        let path = dir.path().join("structural").join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let refusal_text = refusal(dir.path(), &recipe, &texts).unwrap();
        assert!(
            refusal_text.contains(name) && refusal_text.contains("a pipe, not a file"),
            "{refusal_text}"
        );
    }
}

#[test]
fn a_checkpoint_with_inconsistent_parts_is_refused() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let recipe = recipe(TuningMethod::Lora);
    let file = broken_off(dir.path(), &recipe, &texts);
    let good = std::fs::read(&file).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&good).unwrap();
    let tensors = SafeTensors::deserialize(&good).unwrap();
    for (short, keep) in [("first", 1), ("second", 0), ("theta", 4), ("log", 1)] {
        let views = tensors.tensors().into_iter().map(|(name, view)| {
            let count = if name == short { keep } else { view.shape()[0] };
            let bytes = &view.data()[..count * view.data().len() / view.shape()[0]];
            let view = safetensors::tensor::TensorView::new(view.dtype(), vec![count], bytes);
            (name, view.unwrap())
        });
        let file_bytes = safetensors::serialize(views, metadata.metadata().clone()).unwrap();
        std::fs::write(&file, file_bytes).unwrap();
        let refusal_text = refusal(dir.path(), &recipe, &texts).unwrap();
        assert!(
            refusal_text.contains("do not fit together") && refusal_text.contains("delete it"),
            "{short}: {refusal_text}"
        );
    }
}

#[test]
fn absurd_numbers_are_refused_by_name() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let usual = || recipe(TuningMethod::Lora);
    for (recipe, named) in [
        (
            TuningRecipe { steps: usize::MAX, ..usual() },
            "--steps is 18446744073709551615; it must be from 1 to",
        ),
        (TuningRecipe { steps: 0, ..usual() }, "--steps"),
        (TuningRecipe { batch: 1_000_000_000, ..usual() }, "--batch is 1000000000"),
        (TuningRecipe { batch: 1, ..usual() }, "--batch"),
        (TuningRecipe { rank: usize::MAX, ..usual() }, "--rank"),
        (TuningRecipe { rank: 0, ..usual() }, "--rank"),
        (TuningRecipe { steps: 1_000_000, batch: 4096, ..usual() }, "--steps times --batch"),
        (TuningRecipe { length: usize::MAX, ..usual() }, "--length"),
    ] {
        let refusal_text = refusal(dir.path(), &recipe, &texts).unwrap();
        assert!(refusal_text.contains(named), "{named}: {refusal_text}");
    }
}

#[test]
fn changed_settings_are_refused_by_name() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let base = base();
    let go = |recipe: TuningRecipe, steps| {
        let until = CancelAfter(AtomicUsize::new(steps));
        let request = request(base.to_str().unwrap(), recipe, &texts, dir.path());
        catch_unwind(AssertUnwindSafe(|| tune(&request, &until)))
    };
    let first = TuningRecipe { steps: 6, ..recipe(TuningMethod::Full) };
    assert!(go(first.clone(), 6).is_err(), "broken off");
    let message =
        format!("{:#}", go(TuningRecipe { seed: 7, ..first.clone() }, 99).unwrap().unwrap_err());
    assert!(message.contains("recipe.seed: 42 there, 7 here"), "{message}");
    go(first.clone(), 99).unwrap().unwrap();
    let other = TuningRecipe { rate: 0.5, ..first };
    let message = format!("{:#}", go(other, 99).unwrap().unwrap_err());
    assert!(message.contains("recipe.rate: 0.003 there, 0.5 here"), "{message}");
}

#[test]
fn a_manually_merged_lora_adapter_equals_the_loaded_one() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let outcomes = train(recipe(TuningMethod::Lora), &texts, dir.path());
    let adapter = &outcomes[0].dir;
    let merged = dir.path().join("merged");
    std::fs::create_dir(&merged).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(base().join(file), merged.join(file)).unwrap();
    }
    let mut bytes = std::fs::read(base().join("model.safetensors")).unwrap();
    // Every weight with an adapter pair: W + alpha / r B A, written into the bytes of the file.
    let pairs = std::fs::read(adapter.join("adapter_model.safetensors")).unwrap();
    let pairs = SafeTensors::deserialize(&pairs).unwrap();
    let mut count = 0;
    for full in pairs.names().iter().filter(|name| name.contains("lora_A")) {
        let module = full.strip_prefix("base_model.model.").unwrap();
        let weight = module.replace(".lora_A", "");
        let (_, a) = tensor(&adapter.join("adapter_model.safetensors"), full);
        let b = full.replace("lora_A", "lora_B");
        let (b_shape, b) = tensor(&adapter.join("adapter_model.safetensors"), &b);
        let (rows, cols) = (b_shape[0], a.len() / 2);
        let at = {
            let whole = SafeTensors::deserialize(&bytes).unwrap();
            let view = whole.tensor(&weight).unwrap();
            assert_eq!(view.shape(), [rows, cols]);
            view.data().as_ptr() as usize - bytes.as_ptr() as usize
        };
        for row in 0..rows {
            for col in 0..cols {
                let at = at + 4 * (row * cols + col);
                let w = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                let change: f32 = (0..2).map(|r| b[row * 2 + r] * a[r * cols + col]).sum();
                let w = w + 16.0 / 2.0 * change;
                bytes[at..at + 4].copy_from_slice(&w.to_le_bytes());
            }
        }
        count += 1;
    }
    assert_eq!(count, 2 * 6, "every linear layer");
    std::fs::write(merged.join("model.safetensors"), bytes).unwrap();
    let by_hand = vectors(&merged, None, ModelPrecision::F32);
    assert!(apart(&by_hand, &vectors(&base(), Some(adapter), ModelPrecision::F32)) < 1e-5);

    // Merged into the int8 form of the base: dequantised, merged, quantised again.
    let int8 = dir.path().join("int8");
    knockon::embed::quantize::quantize(&base(), &OutputWriter::default(), &int8).unwrap();
    let onto_int8 = vectors(&int8, Some(adapter), ModelPrecision::Int8);
    let moved = apart(&by_hand, &vectors(&base(), None, ModelPrecision::F32));
    let off = apart(&by_hand, &onto_int8);
    println!("onto int8: {off} apart, where tuning moved {moved}");
    assert!(off < moved / 2.0, "{off} apart, where tuning moved {moved}");
}

#[test]
fn a_linear_adapter_is_a_map_applied_to_the_base() {
    let (texts, dir) = (texts(), tempfile::tempdir().unwrap());
    let outcomes = train(recipe(TuningMethod::Adapter), &texts, dir.path());
    let tuned = &outcomes[0].dir;
    let (shape, map) = tensor(&tuned.join("2_Dense/model.safetensors"), "linear.weight");
    assert_eq!(shape, [16, 16]);
    let before = vectors(&base(), None, ModelPrecision::F32);
    let mut mapped = EmbeddingVectors { dim: 16, data: Vec::new() };
    for i in 0..before.len() {
        let row: Vec<f32> = map
            .chunks_exact(16)
            .map(|w| w.iter().zip(before.row(i)).map(|(w, x)| w * x).sum())
            .collect();
        let length = row.iter().map(|x: &f32| x * x).sum::<f32>().sqrt();
        mapped.data.extend(row.iter().map(|x| x / length));
    }
    assert!(apart(&mapped, &vectors(tuned, None, ModelPrecision::F32)) < 1e-5);
}

#[test]
fn an_unknown_category_error_lists_the_valid_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    std::fs::write(&path, "anchor,positive,negative,category\na,a,b,negation\nc,c,d,role_swap\n")
        .unwrap();
    let read = |kind: &str| TrainingTexts::read(&path, &path, &[kind.to_owned()], &NoProgress);
    let message = read("negatoin").unwrap_err().to_string();
    for what in ["'negatoin'", "found: negation, role_swap", "did you mean 'negation'?"] {
        assert!(message.contains(what), "{message}");
    }
    assert_eq!(read("negation").unwrap().structural.len(), 1);
}
