//! Imports CondaQA: passages about a negation, each with a paraphrase and with edits that flip answers.
//!
//! Input: one JSON object per line, as published by the authors. Output: a triplet of the original passage, its
//! paraphrase (edit 1) and each other edit (2: another scope, 3: affirmative) that changes the answer to at least
//! one question. The category is `negation`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::progress::ProgressListener;
use crate::world::json_line;
use crate::world::mistakes::Mistakes;
use crate::world::text::Lines;
use crate::world::triplet::Triplet;

const ORIGINAL: u32 = 0;
const PARAPHRASE: u32 = 1;

#[derive(Deserialize)]
struct Question {
    #[serde(rename = "PassageID")]
    passage: u64,
    #[serde(rename = "PassageEditID")]
    edit: u32,
    /// The edited passage.
    sentence1: String,
    /// The question.
    sentence2: String,
    label: String,
}

#[derive(Default)]
struct Version {
    text: String,
    answers: BTreeMap<String, String>,
}

/// The triplets of a file, and the numbers of passages and edits that gave none.
#[derive(Clone, Debug, Default)]
pub struct Import {
    pub triplets: Vec<Triplet>,
    /// Passages whose original or paraphrase is missing from the file.
    pub without_paraphrase: usize,
    /// Edits that change no answer.
    pub not_flipped: usize,
}

/// Reads the file. The error lists every mistake.
pub fn read(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<Import> {
    let mut mistakes = Mistakes::of_import(path);
    let mut lines = Lines::open(path, progress)?;
    let mut passages: BTreeMap<u64, BTreeMap<u32, Version>> = BTreeMap::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        match serde_json::from_str::<Question>(line) {
            Ok(question) => {
                let versions = passages.entry(question.passage).or_default();
                let version = versions.entry(question.edit).or_default();
                version.text = question.sentence1.trim().to_owned();
                version.answers.insert(question.sentence2, question.label);
            }
            Err(error) => {
                let such_as = r#"{"PassageID": 1, "PassageEditID": 0, "sentence1": "...", ...}"#;
                let what = json_line::no_object("question", such_as, line, &error);
                mistakes.add(Some(number), None, what);
            }
        }
    }
    mistakes.none()?;
    let mut import = Import::default();
    for versions in passages.values() {
        let (Some(original), Some(paraphrase)) =
            (versions.get(&ORIGINAL), versions.get(&PARAPHRASE))
        else {
            import.without_paraphrase += 1;
            continue;
        };
        for (_, edited) in versions.iter().filter(|(edit, _)| **edit > PARAPHRASE) {
            let flips = edited.answers.iter().any(|(question, answer)| {
                original.answers.get(question).is_some_and(|a| a != answer)
            });
            if !flips {
                import.not_flipped += 1;
                continue;
            }
            import.triplets.push(Triplet {
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
