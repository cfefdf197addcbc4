//! Training runs: trains each arm from its checkpoint, or from the base model, and writes its result.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use serde_json::Value;

use super::adamw::{AdamMoments, AdamWSchedule};
use super::batches::{self, TrainingItem};
use super::checkpoint::{self, TrainingState, TrainingStepLog};
use super::data::{TokenizedTexts, TrainingTexts};
use super::loss;
use super::method::TunedParameters;
use super::network::TunableNetwork;
use super::pooled_cache::PooledVectorCache;
use super::recipe::{TuningArm, TuningMethod, TuningRecipe};
use super::saved_model;
use super::settings::{TrainingBaseModel, TrainingSettings};
use crate::embed::bert::tunable::TunableModel;
use crate::environment::Environment;
use crate::input_file;
use crate::progress::ProgressListener;
use crate::wrong_use::WrongUse;

/// The input of a training run.
#[derive(Clone, Debug)]
pub struct TuningRequest<'a> {
    /// The name of a model, or a directory.
    pub base: &'a str,
    pub recipe: TuningRecipe,
    pub texts: &'a TrainingTexts,
    /// Each arm with its output directory.
    pub arms: Vec<(TuningArm, PathBuf)>,
    /// The number of steps between checkpoints.
    pub checkpoint_every: usize,
    pub environment: Environment,
}

/// The result of one arm.
#[derive(Clone, Debug)]
pub struct TuningOutcome {
    pub arm: TuningArm,
    pub dir: PathBuf,
    /// The loss of each step.
    pub losses: Vec<f64>,
    /// Whether the result existed already, trained with the same settings.
    pub already_finished: bool,
    /// Whether the base model's weights were int8.
    pub from_int8: bool,
}

/// Trains all arms, one after another. Finished arms are not trained again.
///
/// # Errors
/// Invalid settings, a result or a checkpoint of other settings in the output directory, or a loss that is no
/// longer finite.
pub fn tune(
    request: &TuningRequest,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<TuningOutcome>> {
    request.recipe.check()?;
    WrongUse::unless(request.checkpoint_every > 0, || {
        "--checkpoint-every is 0; checkpoints are at least a step apart".to_owned()
    })?;
    request.arms.iter().map(|(arm, dir)| run_arm(request, *arm, dir, progress)).collect()
}

fn run_arm(
    request: &TuningRequest,
    arm: TuningArm,
    dir: &Path,
    progress: &dyn ProgressListener,
) -> anyhow::Result<TuningOutcome> {
    let recipe = &request.recipe;
    let base = TunableModel::open(request.base, recipe.length, &request.environment)?;
    let hash = base.hash.clone();
    let from_int8 = base.from_int8;
    let named = TrainingBaseModel { model: request.base, hash: &hash, from_int8 };
    let settings = TrainingSettings::new(arm, named, recipe, request.texts)?;
    if let Some(losses) = read_finished(dir, &settings)? {
        return Ok(TuningOutcome {
            arm,
            dir: dir.to_owned(),
            losses,
            already_finished: true,
            from_int8,
        });
    }
    let mut training = TrainingRun::new(&base, recipe, arm, request.texts)?;
    if let Some(state) = TrainingState::read(dir, &settings)? {
        ensure!(
            state.theta.len() == training.state.theta.len(),
            "{} does not fit the model",
            dir.join(checkpoint::CHECKPOINT_FILE).display()
        );
        training.state = state;
    }
    // With only the head tuned, the layers' output never changes, so it is cached on disk.
    if recipe.method == TuningMethod::Adapter {
        let dir = request.environment.answers_folder()?;
        training.frozen = PooledVectorCache::on_disk(dir, &hash, training.network.hidden())?;
    }
    let label = format!("{}: training", arm.name());
    let work = progress.resume(&label, recipe.steps, training.state.step);
    while training.state.step < recipe.steps {
        progress.check()?;
        let logged = training.step()?;
        work.rename(&format!("{label}, loss {:.3}", logged.loss));
        work.advance(1);
        let taken = training.state.step;
        if taken.is_multiple_of(request.checkpoint_every) && taken < recipe.steps {
            training.state.write(dir, &settings)?;
        }
    }
    training.finish()?;
    let TrainingRun { network, tuned, state, pace, .. } = &training;
    saved_model::write(dir, base, network, tuned, &settings, state, pace)
        .with_context(|| format!("cannot write the result to {}", dir.display()))?;
    // Removed only after the result is complete, so that an interrupted run can be resumed.
    let spent = dir.join(checkpoint::CHECKPOINT_FILE);
    if spent.exists() {
        std::fs::remove_file(&spent)
            .with_context(|| format!("cannot remove {}", spent.display()))?;
    }
    let losses = training.state.log.iter().map(|logged| logged.loss).collect();
    Ok(TuningOutcome { arm, dir: dir.to_owned(), losses, already_finished: false, from_int8 })
}

/// The losses of the result in `dir`, if there is one.
///
/// # Errors
/// A result of other settings, or one that was changed since it was written.
fn read_finished(dir: &Path, settings: &TrainingSettings) -> anyhow::Result<Option<Vec<f64>>> {
    let path = dir.join(saved_model::NOTE_FILE);
    let bytes = match input_file::read(&path) {
        Ok(note) => note,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let note: Value = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not valid JSON", path.display()))?;
    let differences = settings.differences(&note["settings"]);
    if !differences.is_empty() {
        bail!(
            "{} holds a result of other settings ({}); choose another --out, or delete it",
            dir.display(),
            differences.join("; ")
        );
    }
    saved_model::check(dir, &bytes, &note).with_context(|| {
        format!(
            "the result in {} is not as the training left it; choose another --out, or delete it to train again",
            dir.display()
        )
    })?;
    saved_model::read_losses(dir).map(Some)
}

/// The state of a run in progress.
pub struct TrainingRun {
    recipe: TuningRecipe,
    network: TunableNetwork,
    tuned: TunedParameters,
    texts: TokenizedTexts,
    batches: Vec<Vec<TrainingItem>>,
    pace: AdamWSchedule,
    state: TrainingState,
    frozen: PooledVectorCache,
}

impl TrainingRun {
    /// Starts from a base model, given by name or as a directory.
    ///
    /// # Errors
    /// A base model that cannot be tuned, or not with this method.
    pub fn open(
        base: &str,
        recipe: &TuningRecipe,
        arm: TuningArm,
        texts: &TrainingTexts,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        recipe.check()?;
        Self::new(&TunableModel::open(base, recipe.length, environment)?, recipe, arm, texts)
    }

    fn new(
        base: &TunableModel,
        recipe: &TuningRecipe,
        arm: TuningArm,
        texts: &TrainingTexts,
    ) -> anyhow::Result<Self> {
        let network = TunableNetwork::new(&base.config, &base.encoder, base.pooling)?;
        let (tuned, theta) = TunedParameters::new(recipe, &network);
        let (near, pairs) = (texts.structural.len(), texts.rehearsal.len());
        ensure!(
            arm == TuningArm::Control || recipe.structural_pairs() == 0 || near > 0,
            "there are no structural triplets, and --share asks for {} in a batch",
            recipe.structural_pairs()
        );
        let state = TrainingState {
            step: 0,
            moments: AdamMoments::new(theta.len()),
            log: Vec::new(),
            theta,
        };
        Ok(Self {
            recipe: recipe.clone(),
            network,
            tuned,
            texts: TokenizedTexts::new(texts, &base.text)?,
            batches: batches::deal(recipe, arm, near, pairs),
            pace: AdamWSchedule::of(recipe),
            state,
            frozen: PooledVectorCache::default(),
        })
    }

    /// Takes the next step of the recipe.
    ///
    /// # Errors
    /// A loss that is no longer finite, or a cache that cannot be read or written.
    pub fn step(&mut self) -> anyhow::Result<TrainingStepLog> {
        let Self { recipe, network, tuned, state, frozen, .. } = self;
        let items = self.batches.get(state.step).context("all steps are taken")?;
        let (texts, batch) = self.texts.batch(items);
        tuned.set_weights(&state.theta, network);
        let wanted = tuned.required_gradients(network);
        // Without tuned layers, the pooled vectors come from the cache.
        let pass = match wanted.includes_layers(network) {
            true => network.forward(&texts, wanted),
            false => frozen.forward(network, &texts)?,
        };
        let (loss, slopes) = loss::ranking(&pass.vectors, network.hidden(), &batch, recipe.scale);
        let gradient = tuned.gradient(&state.theta, network.backward(pass, &slopes, wanted));
        let TrainingState { step, theta, moments, log } = state;
        let length = self.pace.step(*step, theta, &gradient, moments, &tuned.parts);
        check_finite(loss.is_finite() && length.is_finite(), "the loss is", *step, recipe)?;
        // A step that overflows shows in the loss only at the next one, and must not reach a checkpoint.
        check_finite(is_finite(theta), "weights are", *step, recipe)?;
        let logged = TrainingStepLog { loss, gradient_norm: length };
        log.push(logged);
        *step += 1;
        Ok(logged)
    }

    /// Sets the network to the parameters after the last step, which no step has used yet, and checks them.
    ///
    /// # Errors
    /// Weights, or a loss of the last batch, that are no longer finite; a cache that cannot be read or written.
    fn finish(&mut self) -> anyhow::Result<()> {
        let Self { recipe, network, tuned, state, frozen, .. } = self;
        tuned.set_weights(&state.theta, network);
        let last = state.step.saturating_sub(1);
        let mut weights = network.layers.iter().chain(&network.head);
        check_finite(weights.all(|weights| is_finite(weights)), "weights are", last, recipe)?;
        let Some(items) = self.batches.get(last) else { return Ok(()) };
        let (texts, batch) = self.texts.batch(items);
        let wanted = tuned.required_gradients(network);
        let pass = match wanted.includes_layers(network) {
            true => network.forward(&texts, wanted),
            false => frozen.forward(network, &texts)?,
        };
        let (loss, _) = loss::ranking(&pass.vectors, network.hidden(), &batch, recipe.scale);
        check_finite(loss.is_finite(), "the loss is", last, recipe)
    }
}

fn is_finite(numbers: &[f32]) -> bool {
    numbers.par_iter().all(|number| number.is_finite())
}

/// Fails with `what` unless all of it is `finite`; `step` is counted from 0.
fn check_finite(
    finite: bool,
    what: &str,
    step: usize,
    recipe: &TuningRecipe,
) -> anyhow::Result<()> {
    ensure!(
        finite,
        "{what} no longer a number at step {}; take a smaller --lr than {}",
        step + 1,
        recipe.rate
    );
    Ok(())
}
