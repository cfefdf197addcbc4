use std::path::{Path, PathBuf};

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use knockon::read::local::number_format::GgufNumberFormat;
use knockon::read::{
    ChatMessage, ChatPrompt, ChatRole, FinishReason, LocalLanguageModel, ParsedAnswer,
    PromptTemplate, ReadField,
};
use knockon::value::ValueType;
use rand::{RngExt, SeedableRng};

use super::stand_in::prompt;

use crate::support::models::reader_file;

#[test]
fn weights_match_candle() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let numbers: Vec<f32> = (0..2048).map(|_| rng.random_range(-3.0..3.0)).collect();
    let tensor = Tensor::new(numbers.as_slice(), &Device::Cpu).unwrap();
    for (format, theirs) in [
        (GgufNumberFormat::F32, GgmlDType::F32),
        (GgufNumberFormat::F16, GgmlDType::F16),
        (GgufNumberFormat::Bf16, GgmlDType::BF16),
        (GgufNumberFormat::Q4_0, GgmlDType::Q4_0),
        (GgufNumberFormat::Q4_1, GgmlDType::Q4_1),
        (GgufNumberFormat::Q5_0, GgmlDType::Q5_0),
        (GgufNumberFormat::Q5_1, GgmlDType::Q5_1),
        (GgufNumberFormat::Q8_0, GgmlDType::Q8_0),
        (GgufNumberFormat::Q4K, GgmlDType::Q4K),
        (GgufNumberFormat::Q5K, GgmlDType::Q5K),
        (GgufNumberFormat::Q6K, GgmlDType::Q6K),
    ] {
        let quantized = QTensor::quantize(&tensor, theirs).unwrap();
        let bytes = quantized.data().unwrap();
        assert_eq!(format.row_bytes(2048), Some(bytes.len()), "{}", format.name());
        let mut ours = vec![0.0; 2048];
        format.read(&bytes, &mut ours);
        let right: Vec<f32> = quantized.dequantize(&Device::Cpu).unwrap().to_vec1().unwrap();
        for (place, (ours, right)) in ours.iter().zip(&right).enumerate() {
            assert!((ours - right).abs() <= 1e-6, "{} at {place}: {ours} {right}", format.name());
        }
    }
    assert_eq!(GgufNumberFormat::Q4K.row_bytes(100), None);
    assert_eq!(GgufNumberFormat::F32.row_bytes(0), None);
}

/// A GGUF file, written by hand.
#[derive(Default)]
struct Written {
    metadata: Vec<u8>,
    keys: u64,
    infos: Vec<u8>,
    tensors: u64,
    data: Vec<u8>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Written {
    fn key(&mut self, key: &str, kind: u32) -> &mut Vec<u8> {
        self.keys += 1;
        text(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
        &mut self.metadata
    }

    fn count(&mut self, key: &str, count: u32) {
        self.key(key, 4).extend(count.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        text(self.key(key, 8), value);
    }

    fn texts(&mut self, key: &str, values: &[&str]) {
        let out = self.key(key, 9);
        out.extend(8_u32.to_le_bytes());
        out.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| text(out, value));
    }

    fn counts(&mut self, key: &str, values: &[i32]) {
        let out = self.key(key, 9);
        out.extend(5_u32.to_le_bytes());
        out.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| out.extend(value.to_le_bytes()));
    }

    fn tensor(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
        value: impl Fn(usize, usize) -> f32,
    ) {
        self.tensors += 1;
        text(&mut self.infos, name);
        let sizes = if rows == 1 { vec![cols] } else { vec![cols, rows] };
        self.infos.extend((sizes.len() as u32).to_le_bytes());
        sizes.iter().for_each(|size| self.infos.extend((*size as u64).to_le_bytes()));
        self.infos.extend(0_u32.to_le_bytes());
        self.data.resize(self.data.len().next_multiple_of(32), 0);
        self.infos.extend((self.data.len() as u64).to_le_bytes());
        for row in 0..rows {
            (0..cols).for_each(|col| self.data.extend(value(row, col).to_le_bytes()));
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(self.tensors.to_le_bytes());
        out.extend(self.keys.to_le_bytes());
        out.extend(&self.metadata);
        out.extend(&self.infos);
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&self.data);
        out
    }
}

const LETTERS: [&str; 10] = ["<end>", "q", ">", "y", "e", "s", "n", "o", "a", "b"];

/// A model whose layer does nothing, and whose output maps each letter of `spelled` to the next: after `>` it spells
/// the rest and ends.
fn speller(family: &str, spelled: &str) -> Written {
    let mut file = Written::default();
    let width = 16;
    file.text("general.architecture", family);
    file.text("general.name", "Speller");
    let key = |name: &str| format!("{family}.{name}");
    for (name, count) in [
        ("block_count", 1),
        ("context_length", 64),
        ("embedding_length", width),
        ("feed_forward_length", 32),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        file.count(&key(name), count);
    }
    file.text("tokenizer.ggml.model", "gpt2");
    file.text("tokenizer.ggml.pre", "gpt-2");
    file.texts("tokenizer.ggml.tokens", &LETTERS);
    file.counts("tokenizer.ggml.token_type", &[3, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    file.texts("tokenizer.ggml.merges", &[]);
    file.count("tokenizer.ggml.eos_token_id", 0);
    file.text(
        "tokenizer.chat_template",
        "{% for message in messages %}{{ message['content'].strip() }}{% endfor %}{% if add_generation_prompt %}>{% endif %}",
    );
    let width = width as usize;
    let one_hot = |row: usize, col: usize| f32::from(u8::from(row == col));
    file.tensor("token_embd.weight", LETTERS.len(), width, one_hot);
    file.tensor("output_norm.weight", 1, width, |_, _| 1.0);
    let spelled: Vec<String> = spelled.chars().map(String::from).collect();
    let id = |letter: &str| LETTERS.iter().position(|known| *known == letter).unwrap();
    let mut next = vec![0; LETTERS.len()];
    for pair in spelled.windows(2) {
        next[id(&pair[0])] = id(&pair[1]);
    }
    file.tensor("output.weight", LETTERS.len(), width, |row, col| {
        f32::from(u8::from(next.get(col) == Some(&row)))
    });
    for (name, rows, cols) in [
        ("attn_q", 16, 16),
        ("attn_k", 8, 16),
        ("attn_v", 8, 16),
        ("attn_output", 16, 16),
        ("ffn_gate", 32, 16),
        ("ffn_up", 32, 16),
        ("ffn_down", 16, 32),
    ] {
        file.tensor(&format!("blk.0.{name}.weight"), rows, cols, |_, _| 0.0);
    }
    for name in ["attn_norm", "ffn_norm"] {
        file.tensor(&format!("blk.0.{name}.weight"), 1, width, |_, _| 1.0);
    }
    file
}

fn save(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_handmade_model_gives_the_expected_text() {
    let dir = tempfile::tempdir().unwrap();
    for family in ["llama", "qwen2", "gemma"] {
        let path = save(dir.path(), &speller(family, "q>yes").bytes());
        let model = LocalLanguageModel::open(&path, 8).unwrap();
        let answer = model.generate(&prompt(" q ")).unwrap();
        assert_eq!((answer.text.as_str(), answer.finish), ("yes", FinishReason::Stop), "{family}");
        assert_eq!((answer.tokens_in, answer.tokens.as_slice()), (2, &[3, 4, 5][..]));
        let cut = LocalLanguageModel::open(&path, 2).unwrap().generate(&prompt("q")).unwrap();
        assert_eq!((cut.text.as_str(), cut.finish), ("ye", FinishReason::Length));
    }
}

#[test]
fn a_prompt_that_is_too_long_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let model =
        LocalLanguageModel::open(&save(dir.path(), &speller("llama", "q>no").bytes()), 8).unwrap();
    assert_eq!(model.generate(&prompt(&"q".repeat(55))).unwrap().text, "no");
    let error = model.generate(&prompt(&"q".repeat(56))).unwrap_err().to_string();
    assert!(
        error.contains("57 tokens, which with 8 for the answer is more than the 64"),
        "{error}"
    );
}

#[test]
fn unsupported_models_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |bytes: &[u8]| {
        let path = save(dir.path(), bytes);
        let error = format!("{:#}", LocalLanguageModel::open(&path, 8).err().unwrap());
        assert!(error.starts_with(&format!("the model {}: ", path.display())), "{error}");
        error
    };
    let changed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let bytes = speller("llama", "q>no").bytes();
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    for (bytes, expected) in [
        (b"PK\x03\x04".to_vec(), "it does not begin with GGUF"),
        (
            changed("llama", "mamba"),
            "models of the family \"mamba\" are not read here; allowed: llama, qwen2",
        ),
        (changed("gpt-2", "gpt-9"), "how its tokenizer splits words (\"gpt-9\") is not known here"),
        (changed("tokenizer.chat_template", "tokenizer.chat_nothing_"), "it has no chat template"),
        (changed("{% endif %}", "{% endfi %}"), "its chat template, line 1"),
        (changed("blk.0.ffn_up", "blk.0.ffn_xx"), "the tensor \"blk.0.ffn_up.weight\" is missing"),
        (changed("block_count", "block_kount"), "\"llama.block_count\" is missing or out of range"),
    ] {
        let error = refused(&bytes);
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
    let whole = speller("llama", "q>no").bytes();
    for end in (0..whole.len()).step_by(7) {
        refused(&whole[..end]);
    }
    assert!(LocalLanguageModel::open(dir.path(), 8).is_err());
}

#[test]
fn no_damage_causes_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let whole = speller("qwen2", "q>no").bytes();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            // Most of the header is text, so numbers are still hit often enough.
            let at = rng.random_range(0..bytes.len().min(2500));
            bytes[at] = rng.random();
        }
        if let Ok(model) = LocalLanguageModel::open(&save(dir.path(), &bytes), 4) {
            let _ = model.generate(&prompt("q"));
        }
    }
}

#[test]
fn a_language_model_is_found_by_name_or_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), b"x");
    assert_eq!(reader_file(path.to_str().unwrap()).unwrap(), path);
    let error = reader_file("SmolLM").unwrap_err().to_string();
    assert!(
        error.contains("neither a GGUF file nor one of Qwen2.5-Coder-0.5B-Instruct, "),
        "{error}"
    );
}

/// SmolLM2-135M-Instruct, if it was pulled: 98 MB that not every machine has.
fn smol() -> Option<LocalLanguageModel> {
    let path = reader_file("SmolLM2-135M-Instruct").ok()?;
    Some(LocalLanguageModel::open(&path, 12).unwrap())
}

#[test]
fn a_small_model_answers_the_same_on_any_number_of_threads() {
    let Some(model) = smol() else { return };
    let question = ChatPrompt {
        messages: vec![
            ChatMessage { role: ChatRole::System, content: "Answer in one word.".into() },
            ChatMessage { role: ChatRole::User, content: "What is the capital of France?".into() },
        ],
        schema: None,
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| model.generate(&question).unwrap())
    };
    let one = with(1);
    assert!(one.text.contains("Paris"), "{}", one.text);
    assert_eq!(one.tokens, with(3).tokens);
}

#[test]
fn a_small_model_reads_a_passage() {
    let Some(model) = smol() else { return };
    let field =
        ReadField::new("notice_period", ValueType::Duration, "How long is the notice period?");
    let passage = "Either party may terminate this agreement with a notice period of 60 days.";
    let prompt = PromptTemplate::default().prompt(&field, &[passage]).unwrap();
    let answer = model.generate(&prompt).unwrap();
    let raw = knockon::read::RawModelAnswer {
        text: answer.text.clone(),
        count: 1,
        finish: answer.finish,
    };
    assert!(
        matches!(
            field.parse_answer(&raw),
            ParsedAnswer::Value(_) | ParsedAnswer::Unparsable(_) | ParsedAnswer::NotStated
        ),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("60"), "{}", answer.text);
}
