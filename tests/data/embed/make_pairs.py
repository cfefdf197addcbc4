"""Makes tiny_pairs/, a BERT of random weights with a classification head, and pairs.json, what it says of
some pairs by a forward in NumPy that follows the papers (Devlin et al. 2019; MaxSim: Khattab and Zaharia 2020).

    pip install numpy safetensors tokenizers
    python make_pairs.py
"""

import json
import pathlib

import numpy as np
from math import erf
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).parent
MODEL = HERE / "tiny_pairs"
MODEL.mkdir(exist_ok=True)
HIDDEN, LAYERS, HEADS, WIDE, PLACES, LABELS = 32, 2, 4, 48, 24, 2

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "when", "does", "the", "agreement", "expire", "on", "31", "march",
         "notice", "is", "60", "days", "renew", "##s", "ends", "who", "may", "assign", "?", "."]
tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.Lowercase()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
tokenizer.save(str(MODEL / "tokenizer.json"), pretty=False)

(MODEL / "config.json").write_text(json.dumps({
    "model_type": "bert", "vocab_size": len(WORDS), "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "intermediate_size": WIDE, "max_position_embeddings": PLACES,
    "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
}) + "\n")

rng = np.random.default_rng(7)
weights = {}


def tensor(name, *shape, mean=0.0, spread=0.3):
    weights[name] = rng.normal(mean, spread, shape).astype(np.float16)


for table, rows in [("word", len(WORDS)), ("position", PLACES), ("token_type", 2)]:
    tensor(f"bert.embeddings.{table}_embeddings.weight", rows, HIDDEN, spread=1.0)


def norm(name):
    tensor(f"{name}.weight", HIDDEN, mean=1.0)
    tensor(f"{name}.bias", HIDDEN, spread=0.1)


def dense(name, outputs, inputs):
    tensor(f"{name}.weight", outputs, inputs)
    tensor(f"{name}.bias", outputs)


norm("bert.embeddings.LayerNorm")
for i in range(LAYERS):
    at = f"bert.encoder.layer.{i}"
    for part in ["query", "key", "value"]:
        dense(f"{at}.attention.self.{part}", HIDDEN, HIDDEN)
    dense(f"{at}.attention.output.dense", HIDDEN, HIDDEN)
    norm(f"{at}.attention.output.LayerNorm")
    dense(f"{at}.intermediate.dense", WIDE, HIDDEN)
    dense(f"{at}.output.dense", HIDDEN, WIDE)
    norm(f"{at}.output.LayerNorm")
dense("bert.pooler.dense", HIDDEN, HIDDEN)
dense("classifier", LABELS, HIDDEN)
save_file(weights, MODEL / "model.safetensors")
W = {name: w.astype(np.float64) for name, w in weights.items()}


def linear(name, x):
    return x @ W[f"{name}.weight"].T + W[f"{name}.bias"]


def layer_norm(name, x):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
    return x * W[f"{name}.weight"] + W[f"{name}.bias"]


def forward(ids, types):
    table = lambda name, rows: W[f"bert.embeddings.{name}_embeddings.weight"][rows]
    x = table("word", ids) + table("position", np.arange(len(ids))) + table("token_type", types)
    x = layer_norm("bert.embeddings.LayerNorm", x)
    for i in range(LAYERS):
        at = f"bert.encoder.layer.{i}"
        split = lambda part: linear(f"{at}.attention.self.{part}", x).reshape(len(ids), HEADS, -1).swapaxes(0, 1)
        q, k, v = split("query"), split("key"), split("value")
        scores = q @ k.swapaxes(1, 2) / np.sqrt(HIDDEN / HEADS)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        mixed = mixed.swapaxes(0, 1).reshape(len(ids), HIDDEN)
        x = layer_norm(f"{at}.attention.output.LayerNorm", x + linear(f"{at}.attention.output.dense", mixed))
        wide = linear(f"{at}.intermediate.dense", x)
        wide = 0.5 * wide * (1 + np.vectorize(erf)(wide / np.sqrt(2)))
        x = layer_norm(f"{at}.output.LayerNorm", x + linear(f"{at}.output.dense", wide))
    return x


def cross(encoding):
    first = forward(np.array(encoding.ids), np.array(encoding.type_ids))[0]
    no, yes = linear("classifier", np.tanh(linear("bert.pooler.dense", first)))
    return yes - no


def tokens(text):
    encoding = tokenizer.encode(text)
    x = forward(np.array(encoding.ids), np.array(encoding.type_ids))[1:-1]
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def max_sim(query, passage):
    return (tokens(query) @ tokens(passage).T).max(-1).mean()


PAIRS = [
    ("When does the agreement expire?", "The agreement ends on 31 March."),
    ("When does the agreement expire?", "Notice is 60 days."),
    ("who may assign?", "The agreement renews."),
    ("expire", "The agreement ends on 31 March. The agreement ends on 31 March. Notice is 60 days. Notice is 60 days."),
    ("unknown words", "?"),
]
SINGLE = "Q {query} P {passage}"
tokenizer.enable_truncation(PLACES)
(HERE / "pairs.json").write_text(json.dumps({
    "pairs": PAIRS,
    "single": SINGLE,
    "cross_encoder": [cross(tokenizer.encode(q, p)) for q, p in PAIRS],
    "cross_encoder_single": [
        cross(tokenizer.encode(SINGLE.replace("{query}", q).replace("{passage}", p))) for q, p in PAIRS
    ],
    "max_sim": [max_sim(q, p) for q, p in PAIRS],
}, indent=1) + "\n")
