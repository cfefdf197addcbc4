//! Reader presets: published figures about language models, each with its source.

use crate::scenario::{ParameterProvenance, ReaderParameters, SourcedValue};

const CLASHEVAL_2: &str = "ClashEval, arXiv 2404.10198, table 2";
const CLASHEVAL_6: &str = "ClashEval, arXiv 2404.10198, table 6";
const LOST_IN_THE_MIDDLE: &str = "Lost in the Middle, arXiv 2307.03172, tables 1 and 5";
const RGB: &str = "RGB, arXiv 2309.01431: refuses at most .45 when the evidence is absent";

const LUCKY_TRIAL: &str = "own trial of Qwen2.5-Coder-1.5B (4 bits) on the renewal desk, one prompt, five passages: 6 of 48 reads without the evidence came out right; ClashEval, arXiv 2404.10198, has .088 and .109 without any context on facts that the model has not seen";

const INCLUDES_SILENCE: &str = "published accuracies count answers that decline or that cannot be parsed as wrong, so `misread` already includes them";

/// Probability of a right answer without the evidence ([`LUCKY_TRIAL`]).
const LUCKY: f64 = 0.125;

/// Probability that missing evidence is reported as missing ([`RGB`]).
const REFUSES: f64 = 0.45;

pub(super) fn preset_parameters(preset: &str) -> Option<ReaderParameters<SourcedValue>> {
    if preset == "gpt-3.5-turbo" {
        return Some(by_position());
    }
    // Per model: accuracy with the right passage alone and among five (table 6, if the paper reports them), and given
    // wrong evidence: follows it, resists it, says something else (table 2).
    let (one, five, follow, other) = match preset {
        "gpt-4o" => (Some(0.941), Some(0.922), 0.608, 0.065),
        "claude-opus" => (Some(0.939), Some(0.843), 0.313, 0.102),
        "gemini-1.5" => (None, None, 0.490, 0.122),
        "llama-3" => (None, None, 0.529, 0.263),
        "perfect" => {
            let source = "by definition: reads gold, abstains without it";
            let zero = ReaderParameters::<f64>::default();
            return Some(zero.map(|&rate| sourced(rate, ParameterProvenance::Assumed, source)));
        }
        _ => return None,
    };
    // Right evidence against a wrong prior belief of the model: uses the evidence (table 2). This is an upper bound on
    // misreading for models without a row in table 6.
    let uses_evidence = if preset == "gemini-1.5" { 0.860 } else { 0.793 };
    let misread = match one {
        Some(one) => sourced(
            1.0 - one,
            ParameterProvenance::Cited,
            format!("{CLASHEVAL_6}: 1 - accuracy with the right passage alone ({one})"),
        ),
        None => sourced(
            1.0 - uses_evidence,
            ParameterProvenance::Indicative,
            format!(
                "{CLASHEVAL_2}: 1 - use of right evidence against a wrong belief ({uses_evidence}), an upper bound"
            ),
        ),
    };
    // Four more passages reduce accuracy from `one` to `five`. Modelled as four independent distractors with equal
    // probability: 1 - (five / one)^(1/4).
    let (distracted, tag, source) = match (one, five) {
        (Some(one), Some(five)) => (
            1.0 - (five / one).powf(0.25),
            ParameterProvenance::Indicative,
            format!(
                "{CLASHEVAL_6}: {one} with 1 passage to {five} with 5, spread over 4 distractors"
            ),
        ),
        _ => (
            1.0 - (0.922f64 / 0.941).powf(0.25),
            ParameterProvenance::Assumed,
            format!("as gpt-4o ({CLASHEVAL_6} has no row for this model)"),
        ),
    };
    Some(ReaderParameters {
        misread,
        distracted_above: sourced(distracted, tag, source.clone()),
        distracted_below: sourced(distracted, tag, source),
        follow: sourced(
            follow,
            ParameterProvenance::Cited,
            format!(
                "{CLASHEVAL_2}: follows wrong evidence; a lower bound for private contracts, of which the model knows nothing"
            ),
        ),
        fabricate: sourced(
            other,
            ParameterProvenance::Indicative,
            format!(
                "{CLASHEVAL_2}: neither the evidence nor the model's own answer. A model that resists the evidence there is assumed to abstain here"
            ),
        ),
        fabricate_empty: sourced(1.0 - REFUSES, ParameterProvenance::Indicative, RGB),
        lucky: sourced(LUCKY, ParameterProvenance::Indicative, LUCKY_TRIAL),
        overlooked: sourced(
            0.0,
            ParameterProvenance::Assumed,
            format!(
                "{CLASHEVAL_6}: accuracy among five passages already includes the effect of the gold passage's position"
            ),
        ),
        declined: sourced(0.0, ParameterProvenance::Assumed, INCLUDES_SILENCE),
        unparsable: sourced(0.0, ParameterProvenance::Assumed, INCLUDES_SILENCE),
    })
}

fn sourced(value: f64, tag: ParameterProvenance, source: impl Into<String>) -> SourcedValue {
    SourcedValue { value, tag, source: source.into(), range: None }
}

/// The preset of a model whose accuracy is published by the position of gold.
///
/// The inputs are the accuracy with gold alone, and among ten passages with gold first, fifth and last. With gold
/// first, all others rank below it; with gold last, above it; in neither case is it hidden. The further loss in fifth
/// place is attributed to hiding by each of the four passages before it, allowing for lucky answers when it is hidden.
/// Fitted to ten passages, because among twenty and thirty (tables 6 and 7) each further passage has less effect.
fn by_position() -> ReaderParameters<SourcedValue> {
    let (alone, first, fifth, last) = (0.883f64, 0.768f64, 0.612f64, 0.624f64);
    let (above, below) =
        (loss_per_passage(last / alone, 9.0), loss_per_passage(first / alone, 9.0));
    let unhidden = alone * (1.0 - above).powi(4) * (1.0 - below).powi(5);
    let seen = (fifth - LUCKY) / (unhidden - LUCKY);
    let overlooked = loss_per_passage(seen, 4.0);
    let (follow, fabricate) = (0.608, 0.065);
    ReaderParameters {
        misread: sourced(
            1.0 - alone,
            ParameterProvenance::Cited,
            format!("{LOST_IN_THE_MIDDLE}: 1 - accuracy with the right passage alone ({alone})"),
        ),
        distracted_above: sourced(
            above,
            ParameterProvenance::Indicative,
            format!(
                "{LOST_IN_THE_MIDDLE}: {alone} alone to {last} as the last of 10, spread over 9 distractors"
            ),
        ),
        distracted_below: sourced(
            below,
            ParameterProvenance::Indicative,
            format!(
                "{LOST_IN_THE_MIDDLE}: {alone} alone to {first} as the first of 10, spread over 9 distractors"
            ),
        ),
        follow: sourced(
            follow,
            ParameterProvenance::Assumed,
            format!("{CLASHEVAL_2}: as gpt-4o follows wrong evidence"),
        ),
        fabricate: sourced(
            fabricate,
            ParameterProvenance::Assumed,
            format!("{CLASHEVAL_2}: as gpt-4o says something else"),
        ),
        fabricate_empty: sourced(1.0 - REFUSES, ParameterProvenance::Indicative, RGB),
        lucky: sourced(LUCKY, ParameterProvenance::Indicative, LUCKY_TRIAL),
        overlooked: sourced(
            overlooked,
            ParameterProvenance::Indicative,
            format!(
                "{LOST_IN_THE_MIDDLE}: {fifth} as the fifth of 10, beyond what distractors explain, spread over the 4 passages before it"
            ),
        ),
        declined: sourced(0.0, ParameterProvenance::Assumed, INCLUDES_SILENCE),
        unparsable: sourced(0.0, ParameterProvenance::Assumed, INCLUDES_SILENCE),
    }
}

/// The probability of a loss at each of several independent passages that together leave this share.
fn loss_per_passage(share: f64, passages: f64) -> f64 {
    1.0 - share.powf(1.0 / passages)
}
