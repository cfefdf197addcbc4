"""Makes the reference vectors beside this file with the models' own Python libraries.

    pip install sentence-transformers model2vec onnxruntime onnx
    python make_reference.py minilm|potion|gte|arctic|mpnet DIR

DIR holds the original weights (`knockon models pull NAME`); for gte and arctic the ONNX file that they are made from,
`onnx/model.onnx`, with its tokenizer.json and config.json.
"""

import json
import pathlib
import sys

from texts import TEXTS

HERE = pathlib.Path(__file__).parent


def write(name, made_with, texts, vectors, digits=7):
    rows = [[round(float(x), digits) for x in v] for v in vectors]
    with open(HERE / name, "w", encoding="utf-8") as f:
        f.write('{"made_with": %s,\n"texts": %s,\n"vectors": [\n' % (json.dumps(made_with), json.dumps(texts)))
        f.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in rows))
        f.write("\n]}\n")


# Every other text, and the longest: enough for a model whose forward is tested on all of them elsewhere.
SOME = TEXTS[::2] + TEXTS[-3:-2]


def minilm(where):
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(where, device="cpu")
    assert model.max_seq_length == 256, model.max_seq_length
    made_with = f"sentence-transformers {sentence_transformers.__version__}, all-MiniLM-L6-v2, f32, normalize_embeddings"
    # One text at a time: no padding, so no trace of the batch in the last digits.
    write("minilm.json", made_with, TEXTS, [model.encode([t], normalize_embeddings=True)[0] for t in TEXTS])


def potion(where):
    import model2vec

    model = model2vec.StaticModel.from_pretrained(where)
    made_with = f"model2vec {model2vec.__version__}, potion-base-8M, f32"
    write("potion.json", made_with, TEXTS, [model.encode([t])[0] for t in TEXTS])


def mpnet(where):
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(where, device="cpu")
    assert model.max_seq_length == 384, model.max_seq_length
    made_with = f"sentence-transformers {sentence_transformers.__version__}, all-mpnet-base-v2, f32, normalize_embeddings"
    write("mpnet.json", made_with, SOME, [model.encode([t], normalize_embeddings=True)[0] for t in SOME], 5)


def tokens(where):
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(f"{where}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    return lambda text: tokenizer.encode(text).ids


def gte(where):
    import numpy as np
    import onnxruntime

    session, ids_of = onnxruntime.InferenceSession(f"{where}/onnx/model.onnx"), tokens(where)

    def vector(text):
        ids = np.array([ids_of(text)])
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean = session.run(None, feed)[0][0].mean(0)
        return mean / np.linalg.norm(mean)

    made_with = f"ONNX Runtime {onnxruntime.__version__}, gte-small (Xenova's export), f32, mean"
    write("gte.json", made_with, SOME, [vector(t) for t in SOME], 5)


def arctic(where):
    """The file's int8 weights as f32 through transformers: ONNX Runtime would round activations as well."""
    import onnx
    import torch
    import transformers
    from onnx.numpy_helper import to_array

    graph = onnx.load(f"{where}/onnx/model.onnx").graph
    found = {i.name: to_array(i) for i in graph.initializer}

    def dequantised(base):
        q = found[base + "_quantized"].astype("float32")
        return found[base + "_scale"] * (q - found[base + "_zero_point"].astype("float32"))

    state = {name: a for name, a in found.items() if name.endswith((".weight", ".bias"))}
    for table in ["word", "position", "token_type"]:
        state[f"embeddings.{table}_embeddings.weight"] = dequantised(f"embeddings.{table}_embeddings.weight")
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            layer = node.name.strip("/").replace("/", ".").removesuffix(".MatMul_quant")
            state[layer + ".weight"] = dequantised(node.input[1].removesuffix("_quantized")).T
    model = transformers.BertModel(transformers.BertConfig.from_pretrained(where), add_pooling_layer=False).eval()
    model.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=True)
    ids_of = tokens(where)

    def vector(text):
        with torch.no_grad():
            first = model(torch.tensor([ids_of(text)])).last_hidden_state[0, 0]
        return first / first.norm()

    made_with = f"transformers {transformers.__version__}, snowflake-arctic-embed-s, int8 weights as f32, CLS, no prefix"
    write("arctic.json", made_with, SOME, [vector(t) for t in SOME], 5)


{f.__name__: f for f in [minilm, potion, gte, arctic, mpnet]}[sys.argv[1]](sys.argv[2])
