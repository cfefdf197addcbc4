//! Tests over a small model with random weights, written by hand.

use std::path::Path;

use super::LocalLanguageModel;
use crate::read::prompt::{ChatMessage, ChatPrompt, ChatRole};

/// Pseudo-random bytes.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}

#[derive(Default)]
struct GgufWriter {
    keys: (u64, Vec<u8>),
    tensors: (u64, Vec<u8>),
    data: Vec<u8>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl GgufWriter {
    fn key(&mut self, key: &str, kind: u32) -> &mut Vec<u8> {
        self.keys.0 += 1;
        text(&mut self.keys.1, key);
        self.keys.1.extend(kind.to_le_bytes());
        &mut self.keys.1
    }

    fn count(&mut self, key: &str, count: u32) {
        self.key(key, 4).extend(count.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        text(self.key(key, 8), value);
    }

    fn list(&mut self, key: &str, kind: u32, values: &[Vec<u8>]) {
        let out = self.key(key, 9);
        out.extend(kind.to_le_bytes());
        out.extend((values.len() as u64).to_le_bytes());
        out.extend(values.concat());
    }

    /// A matrix of `Q8_0` (8) or `Q4_1` (3).
    fn matrix(&mut self, name: &str, rows: usize, cols: usize, format: u32, noise: &mut Noise) {
        let (bytes, header): (usize, &[u16]) =
            if format == 8 { (32, &[0x1c00]) } else { (16, &[0x2800, 0xac00]) };
        self.start(name, &[cols, rows], format);
        for _ in 0..rows * cols / 32 {
            header.iter().for_each(|half| self.data.extend(half.to_le_bytes()));
            self.data.extend((0..bytes).map(|_| noise.byte()));
        }
    }

    fn ones(&mut self, name: &str, count: usize) {
        self.start(name, &[count], 0);
        (0..count).for_each(|_| self.data.extend(1_f32.to_le_bytes()));
    }

    fn start(&mut self, name: &str, sizes: &[usize], format: u32) {
        self.tensors.0 += 1;
        let out = &mut self.tensors.1;
        text(out, name);
        out.extend((sizes.len() as u32).to_le_bytes());
        sizes.iter().for_each(|size| out.extend((*size as u64).to_le_bytes()));
        out.extend(format.to_le_bytes());
        self.data.resize(self.data.len().next_multiple_of(32), 0);
        out.extend((self.data.len() as u64).to_le_bytes());
    }

    fn save(&self, path: &Path) {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(self.tensors.0.to_le_bytes());
        out.extend(self.keys.0.to_le_bytes());
        out.extend(&self.keys.1);
        out.extend(&self.tensors.1);
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&self.data);
        std::fs::write(path, out).expect("the file is written");
    }
}

/// The letters from `a` to `z`, and control tokens; the end token can also be put together from `m` and `n`.
fn vocabulary() -> Vec<String> {
    let letters = ('a'..='z').map(String::from);
    letters.chain(["mn", "<user>", "<answer>"].map(String::from)).collect()
}

fn model(directory: &Path) -> LocalLanguageModel {
    let (mut file, mut noise) = (GgufWriter::default(), Noise(5));
    let tokens = vocabulary();
    file.text("general.architecture", "qwen2");
    for (key, count) in [
        ("block_count", 2),
        ("context_length", 256),
        ("embedding_length", 64),
        ("feed_forward_length", 96),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        file.count(&format!("qwen2.{key}"), count);
    }
    file.text("tokenizer.ggml.model", "gpt2");
    file.text("tokenizer.ggml.pre", "qwen2");
    let string = |token: &String| {
        let mut out = Vec::new();
        text(&mut out, token);
        out
    };
    file.list("tokenizer.ggml.tokens", 8, &tokens.iter().map(string).collect::<Vec<_>>());
    let kind = |token: &String| if token.len() > 2 { 3_i32 } else { 1 }.to_le_bytes().to_vec();
    file.list("tokenizer.ggml.token_type", 5, &tokens.iter().map(kind).collect::<Vec<_>>());
    file.list("tokenizer.ggml.merges", 8, &[string(&"m n".to_owned())]);
    file.count("tokenizer.ggml.eos_token_id", 26);
    file.text(
        "tokenizer.chat_template",
        "{% for message in messages %}<user>{{ message['content'] }}mn{% endfor %}<answer>",
    );
    file.matrix("token_embd.weight", tokens.len(), 64, 8, &mut noise);
    file.ones("output_norm.weight", 64);
    for layer in 0..2 {
        for (name, rows, cols, format) in [
            ("attn_q", 64, 64, 8),
            ("attn_k", 32, 64, 3),
            ("attn_v", 32, 64, 8),
            ("attn_output", 64, 64, 3),
            ("ffn_gate", 96, 64, 8),
            ("ffn_up", 96, 64, 3),
            ("ffn_down", 64, 96, 3),
        ] {
            let name = format!("blk.{layer}.{name}.weight");
            file.matrix(&name, rows, cols, format, &mut noise);
        }
        file.ones(&format!("blk.{layer}.attn_norm.weight"), 64);
        file.ones(&format!("blk.{layer}.ffn_norm.weight"), 64);
    }
    let path = directory.join("model.gguf");
    file.save(&path);
    LocalLanguageModel::open(&path, 24).expect("the model is opened")
}

fn prompt(content: &str) -> ChatPrompt {
    let message = ChatMessage { role: ChatRole::User, content: content.to_owned() };
    ChatPrompt { messages: vec![message], schema: None }
}

const CONTENTS: [&str; 5] = [
    "abcdefghijklopqrstuvwxyzabcdefghijkl",
    "abcdefghijklopqrstuvwxyzabcdefghij",
    "abcdefghijklopqrstuvwxyzabcdefghijklzzz",
    "abc",
    "zyxabc",
];

#[test]
fn what_was_computed_before_and_the_number_of_threads_change_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = model(directory.path());
    let answer = |content: &str, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let answer = pool.install(|| model.generate(&prompt(content))).expect("an answer");
        (answer.tokens, answer.finish, answer.tokens_in)
    };
    let alone: Vec<_> = CONTENTS
        .iter()
        .map(|content| {
            model.forget();
            answer(content, 1)
        })
        .collect();
    assert!(alone.iter().any(|(tokens, ..)| tokens.len() > 3), "{alone:?}");
    // Each after each other one, so that every length of a common beginning occurs.
    for (first, _) in CONTENTS.iter().zip(&alone) {
        for (content, alone) in CONTENTS.iter().zip(&alone) {
            answer(first, 2);
            assert_eq!(answer(content, 3), *alone, "{content} after {first}");
        }
    }
}

#[test]
fn scores_are_the_same_to_the_bit_however_the_tokens_are_grouped() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = model(directory.path());
    let tokens = model.encode(&prompt(CONTENTS[0])).expect("tokens");
    let whole = model.next_scores(&tokens).expect("scores");
    assert!(whole.iter().all(|score| score.is_finite()));
    assert!(whole.iter().any(|score| *score != whole[0]));
    for size in [1, 2, 3, 5, 9, 17] {
        let mut memory = model.network.new_cache();
        let mut scores = Vec::new();
        for part in tokens.chunks(size) {
            scores = model.network.forward(&model.file, part, &mut memory);
        }
        assert_eq!(scores, whole, "{size} tokens at a time");
    }
    assert!(model.next_scores(&[29]).is_err() && model.next_scores(&[]).is_err());
}

#[test]
fn a_passage_cannot_write_control_tokens() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = model(directory.path());
    let tokens = model.encode(&prompt("amnb")).expect("tokens");
    assert_eq!(tokens, [27, 0, 12, 13, 1, 26, 28], "{:?}", vocabulary());
    // The characters of <user> that are no tokens vanish; the control token 27 is not among what is left.
    let tokens = model.encode(&prompt("a<user>b<answer>")).expect("tokens");
    let user = [20, 18, 4, 17];
    let answer = [0, 13, 18, 22, 4, 17];
    assert_eq!(tokens, [&[27, 0][..], &user, &[1], &answer, &[26, 28]].concat());
    assert_eq!(model.tokens.decode(&[0, 26, 27, 1]).expect("a text"), "ab");
}
