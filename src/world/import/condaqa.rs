//! Imports CondaQA: passages about a negation, each with a paraphrase and with edits that flip answers.
//!
//! Input: one JSON object per line, as published by the authors. Output: a triplet of the original passage, its
//! paraphrase (edit 1) and each other edit (2: another scope, 3: affirmative) that changes the answer to at least
//! one question. The category is `negation`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::progress::ProgressListener;
use crate::world::data_lines::DataLines;
use crate::world::json_line;
use crate::world::mistakes::FileMistakes;
use crate::world::triplet::TextTriplet;

const ORIGINAL: u32 = 0;
const PARAPHRASE: u32 = 1;

#[derive(Deserialize)]
struct CondaqaQuestion {
    #[serde(rename = "PassageID")]
    passage_id: u64,
    #[serde(rename = "PassageEditID")]
    edit_id: u32,
    /// The edited passage.
    sentence1: String,
    /// The question.
    sentence2: String,
    label: String,
}

#[derive(Default)]
struct CondaqaPassageVersion {
    text: String,
    answers: BTreeMap<String, String>,
}

/// The triplets of a file, and the numbers of passages and edits that gave none.
#[derive(Clone, Debug, Default)]
pub struct CondaqaImport {
    pub triplets: Vec<TextTriplet>,
    /// Passages whose original or paraphrase is missing from the file.
    pub passages_without_paraphrase: usize,
    /// Edits that change no answer.
    pub edits_without_flip: usize,
}

/// Reads the file. The error lists every mistake.
pub fn read(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<CondaqaImport> {
    let mut mistakes = FileMistakes::for_import(path);
    let mut lines = DataLines::open(path, progress)?;
    let mut passages: BTreeMap<u64, BTreeMap<u32, CondaqaPassageVersion>> = BTreeMap::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        match serde_json::from_str::<CondaqaQuestion>(line) {
            Ok(question) => {
                let versions = passages.entry(question.passage_id).or_default();
                let version = versions.entry(question.edit_id).or_default();
                version.text = question.sentence1.trim().to_owned();
                version.answers.insert(question.sentence2, question.label);
            }
            Err(error) => {
                let such_as = r#"{"PassageID": 1, "PassageEditID": 0, "sentence1": "...", ...}"#;
                let what = json_line::invalid_object_message("question", such_as, line, &error);
                mistakes.add(Some(number), None, what);
            }
        }
    }
    mistakes.into_result()?;
    let mut import = CondaqaImport::default();
    for versions in passages.values() {
        let (Some(original), Some(paraphrase)) =
            (versions.get(&ORIGINAL), versions.get(&PARAPHRASE))
        else {
            import.passages_without_paraphrase += 1;
            continue;
        };
        for (_, edited) in versions.iter().filter(|(edit, _)| **edit > PARAPHRASE) {
            let flips = edited.answers.iter().any(|(question, answer)| {
                original.answers.get(question).is_some_and(|a| a != answer)
            });
            if !flips {
                import.edits_without_flip += 1;
                continue;
            }
            import.triplets.push(TextTriplet {
                anchor: original.text.clone(),
                positive: paraphrase.text.clone(),
                negative: Some(edited.text.clone()),
                category: "negation".to_owned(),
            });
        }
    }
    anyhow::ensure!(
        !import.triplets.is_empty(),
        "{}: there is no passage with edits in the file",
        path.display()
    );
    Ok(import)
}
