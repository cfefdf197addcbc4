"""Makes `layouts.json`: directory layouts, each a change to one of the random models in `tiny/`, with what the libraries
that write such directories make of them.

    pip install sentence-transformers==6.2.0 model2vec==0.10.0
    python make_layouts.py             all but PyLate's
    pip install pylate==1.6.0          (which takes sentence-transformers 5.3)
    python make_layouts.py pylate      PyLate's and Stanford's ColBERT alone

A layout has `base`, a folder of tiny/; `files`, JSON by path (null: not there); `tensors` by path of a safetensors file,
added to what the base has there; `move`, a folder for the base's files; and `vectors` or `scores`.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import safetensors.numpy
import torch

HERE = pathlib.Path(__file__).parent
OUT = HERE / "layouts.json"
TEXTS = [
    "When does the agreement expire?",
    "The Buyer sued the Seller.",
    "the buyer sued the seller.",
    "Notice period: 60 days; renewal term 12 months.",
    "Neither party may assign this Agreement without the prior written consent of the other party. " * 4,
    "a",
]
PAIRS = [(q, p) for q in TEXTS[:2] for p in TEXTS[1:5]]
RNG = np.random.default_rng(5)


def tensor(*shape, mean=0.0, spread=0.4):
    return (mean + spread * RNG.standard_normal(shape)).astype(np.float32).round(3)


def build(layout, where):
    """Lays a layout out on disk."""
    where = pathlib.Path(where)
    first = where / layout.get("move", "")
    if layout.get("base"):
        shutil.copytree(HERE / "tiny" / layout["base"], first, dirs_exist_ok=True)
    for path, change in layout.get("changes", {}).items():
        json_ = json.loads((where / path).read_text())
        for keys, value in change.items():
            at = json_
            *parents, last = keys.split(".")
            for key in parents:
                at = at[key]
            at[last] = value
        (where / path).write_text(json.dumps(json_))
    for path, value in layout.get("files", {}).items():
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_text(json.dumps(value))
    for path, tensors in layout.get("tensors", {}).items():
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        prefix = layout.get("prefix", "")
        known = {}
        if (where / path).exists():
            known = {prefix + n: t for n, t in safetensors.numpy.load_file(where / path).items()}
        new = {n: np.array(t["data"], t["type"]).reshape(t["shape"]) for n, t in tensors.items()}
        safetensors.numpy.save_file({**known, **new}, where / path, metadata={"format": "pt"})


def stored(array):
    kind = {"f": "float32", "i": "int64"}[array.dtype.kind]
    return {"type": kind, "shape": list(array.shape), "data": [round(x, 3) for x in array.flatten().tolist()]}


def rounded(rows):
    return [[round(float(x), 6) for x in row] for row in rows]


MODULES = "sentence_transformers.models"


def modules(*behind, first="", pooling="1_Pooling"):
    listed = [(first, f"{MODULES}.Transformer")]
    if pooling:
        listed.append((pooling, f"{MODULES}.Pooling"))
    listed += [(path, kind if "." in kind else f"{MODULES}.{kind}") for path, kind in behind]
    return [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(listed)]


def dense(inputs, outputs, activation, bias=True, **more):
    config = {"in_features": inputs, "out_features": outputs, "bias": bias, "activation_function": activation, **more}
    weights = {"linear.weight": stored(tensor(outputs, inputs))}
    if bias:
        weights["linear.bias"] = stored(tensor(outputs))
    if more.get("use_residual") and inputs != outputs:
        weights["residual.weight"] = stored(tensor(outputs, inputs))
    return config, weights


MEAN = {"embedding_dimension": 16, "pooling_mode": "mean", "include_prompt": True}
GENERAL = {"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
           "unk_token": "[UNK]", "mask_token": "[MASK]", "model_max_length": 64}
PROMPTS = {"query": "Represent the query: ", "document": "This Agreement: "}
ACTIVATION = "torch.nn.modules.activation"


def sentence_layouts():
    def plain(pooling=MEAN, behind=(), files=(), tensors=None, **more):
        return {
            "base": more.pop("base", "bert"),
            "files": {"modules.json": modules(*behind), "tokenizer_config.json": GENERAL, "1_Pooling/config.json": pooling, **dict(files)},
            "tensors": tensors or {},
            **more,
        }

    def pool(mode, **more):
        return {"embedding_dimension": 16, "pooling_mode": mode, "include_prompt": True, **more}

    for mode in ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]:
        yield f"pooling {mode}", plain(pool(mode))
    yield "pooling list of one", plain(pool(["weightedmean"]))
    yield "pooling list", plain(pool(["lasttoken", "mean", "mean_sqrt_len_tokens", "cls"]))
    flags = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True,
             "pooling_mode_max_tokens": True, "pooling_mode_mean_sqrt_len_tokens": False}
    yield "pooling flags", plain(flags)
    yield "pooling of modernbert", plain(pool(["mean", "max"]), base="modernbert")

    norm = {"norm.weight": stored(tensor(16, mean=1.0)), "norm.bias": stored(tensor(16))}
    yield "layer norm", plain(behind=[("2_LayerNorm", "LayerNorm")], files={"2_LayerNorm/config.json": {"dimension": 16}},
                              tensors={"2_LayerNorm/model.safetensors": norm})
    for name, activation in [("tanh", f"{ACTIVATION}.Tanh"), ("identity", "torch.nn.modules.linear.Identity"),
                             ("relu", f"{ACTIVATION}.ReLU"), ("gelu", f"{ACTIVATION}.GELU"), ("sigmoid", f"{ACTIVATION}.Sigmoid")]:
        config, weights = dense(16, 6, activation, bias=name != "identity")
        yield f"dense {name}", plain(behind=[("2_Dense", "Dense"), ("3_Normalize", "Normalize")], files={"2_Dense/config.json": config},
                                     tensors={"2_Dense/model.safetensors": weights})
    for outputs in [16, 6]:
        config, weights = dense(16, outputs, f"{ACTIVATION}.Tanh", use_residual=True)
        yield f"dense with a residual to {outputs}", plain(behind=[("2_Dense", "Dense")], files={"2_Dense/config.json": config},
                                                          tensors={"2_Dense/model.safetensors": weights})
    config, weights = dense(32, 8, f"{ACTIVATION}.Tanh")
    norm = {"norm.weight": stored(tensor(8, mean=1.0)), "norm.bias": stored(tensor(8))}
    yield "a chain in folders of other names", plain(
        behind=[("d/dense", "Dense"), ("drop", "Dropout"), ("norm", "LayerNorm"), ("unit", "Normalize")],
        files={"modules.json": modules(("d/dense", "Dense"), ("drop", "Dropout"), ("norm", "LayerNorm"), ("unit", "Normalize"), pooling="p"),
               "1_Pooling/config.json": pool("max"), "p/config.json": pool(["cls", "mean"]), "d/dense/config.json": config,
               "drop/config.json": {"dropout": 0.5}, "norm/config.json": {"dimension": 8}},
        tensors={"d/dense/model.safetensors": weights, "norm/model.safetensors": norm})
    cased = {"tokenizer.json": {"normalizer.lowercase": False}}
    yield "cased", plain(changes=cased)
    yield "do_lower_case", plain(changes=cased, files={"sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": True}})
    yield "do_lower_case of the tokenizer", plain(files={"tokenizer_config.json": {
        **GENERAL, "tokenizer_class": "BertTokenizer", "do_lower_case": False}})
    yield "length in a file of another name", plain(files={"sentence_xlm-roberta_config.json": {"max_seq_length": 12, "do_lower_case": False}})
    yield "length of the tokenizer", plain(files={"tokenizer_config.json": {**GENERAL, "model_max_length": 9}})
    yield "the end of a text", plain(files={"tokenizer_config.json": {**GENERAL, "model_max_length": 9, "truncation_side": "left"}})
    settings = {"prompts": PROMPTS, "default_prompt_name": None, "similarity_fn_name": "cosine", "model_type": "SentenceTransformer"}
    yield "prompts", plain(files={"config_sentence_transformers.json": settings})
    for mode in ["mean", "max", "weightedmean", "lasttoken", "cls"]:
        yield f"prompts that are not pooled, {mode}", plain(pool(mode, include_prompt=False), files={"config_sentence_transformers.json": settings})
    yield "prompts that fill a text", plain(
        pool("mean", include_prompt=False),
        files={"config_sentence_transformers.json": settings, "tokenizer_config.json": {**GENERAL, "model_max_length": 7}})
    dot = {"similarity_fn_name": "dot", "prompts": {}}
    yield "dot", plain(files={"config_sentence_transformers.json": dot})
    yield "dot of a sum by root", plain(pool("mean_sqrt_len_tokens"), files={"config_sentence_transformers.json": dot})
    yield "dot at length one", plain(behind=[("2_Normalize", "Normalize")], files={"config_sentence_transformers.json": dot})
    yield "in a folder", plain(move="0_Transformer", files={
        "modules.json": modules(first="0_Transformer"), "tokenizer_config.json": {}, "0_Transformer/tokenizer_config.json": GENERAL,
        "0_Transformer/sentence_bert_config.json": {"max_seq_length": 20, "do_lower_case": False}})


def run_sentence(layout, where):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(where, device="cpu")
    dotted = model.similarity_fn_name == "dot"
    # One text at a time: no padding.
    one = lambda encode: rounded([encode([t], normalize_embeddings=not dotted)[0] for t in TEXTS])
    return {"query": one(model.encode_query), "passage": one(model.encode_document)}


def static_layouts():
    words = ["[PAD]", "<unk>", "the", "buyer", "seller", "agreement", "may", "assign", "party", ".", "a", "notice"]
    tokenizer = lambda unknown: {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": unknown},
    }
    config = {"model_type": "model2vec", "architectures": ["StaticModel"], "apply_zipf": True, "hidden_dim": 6,
              "seq_length": 1000000, "normalize": True, "embedding_dtype": "float32"}
    modules_ = [{"idx": 0, "name": "0", "path": ".", "type": f"{MODULES}.StaticEmbedding"},
                {"idx": 1, "name": "1", "path": "1_Normalize", "type": f"{MODULES}.Normalize"}]

    def table(tensors, unknown="<unk>", **more):
        return {"files": {"config.json": {**config, **more}, "tokenizer.json": tokenizer(unknown), "modules.json": modules_},
                "tensors": {"model.safetensors": {n: stored(t) for n, t in tensors.items()}}}

    rows = tensor(len(words), 6)
    weights = np.abs(tensor(len(words)))
    mapping = RNG.integers(0, 5, len(words))
    yield "static", table({"embeddings": rows})
    yield "static with the unknown token [PAD]", table({"embeddings": rows}, "[PAD]")
    yield "static with weights", table({"embeddings": rows, "weights": weights})
    yield "static with a mapping", table({"embeddings": rows[:5], "mapping": mapping})
    yield "static with both", table({"embeddings": rows[:5], "mapping": mapping, "weights": weights})
    yield "static cut at 3 tokens", table({"embeddings": rows, "weights": weights}, max_length=3)
    yield "static without a cut", table({"embeddings": rows}, max_length=None)


def run_static(layout, where):
    import model2vec

    model = model2vec.StaticModel.from_pretrained(where)
    vectors = rounded([model.encode([t])[0] for t in TEXTS])
    return {"query": vectors, "passage": vectors}


def reranker_layouts():
    base = json.loads((HERE / "tiny/modernbert/config.json").read_text())
    for pooling, labels in [("cls", 1), ("mean", 1), ("cls", 2)]:
        config = {**base, "architectures": ["ModernBertForSequenceClassification"], "classifier_pooling": pooling,
                  "id2label": {str(i): f"LABEL_{i}" for i in range(labels)}, "label2id": {f"LABEL_{i}": i for i in range(labels)}}
        head = {"head.dense.weight": tensor(16, 16), "head.norm.weight": tensor(16, mean=1.0),
                "classifier.weight": tensor(labels, 16), "classifier.bias": tensor(labels)}
        yield f"modernbert reranker, {pooling}, {labels}", {
            "base": "modernbert", "prefix": "model.",
            "changes": {"tokenizer.json": {"post_processor.pair": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]}},
            "files": {"config.json": config, "tokenizer_config.json": {**GENERAL, "model_max_length": 200}},
            "tensors": {"model.safetensors": {n: stored(t) for n, t in head.items()}}}


def run_reranker(layout, where):
    import tokenizers
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(where, attn_implementation="eager").eval()
    tokenizer = tokenizers.Tokenizer.from_file(f"{where}/tokenizer.json")
    scores = []
    for query, passage in PAIRS:
        ids = torch.tensor([tokenizer.encode(query, passage).ids])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        scores.append(float(logits[0] if len(logits) == 1 else logits[1] - logits[0]))
    return [round(s, 6) for s in scores]


def late_layouts():
    config, weights = dense(16, 4, "torch.nn.modules.linear.Identity", bias=False)
    second, more = dense(4, 5, f"{ACTIVATION}.Tanh", use_residual=True)

    def pylate(dense_layers=1, changes=(), **settings):
        behind = [("1_Dense", "pylate.models.Dense.Dense"), ("2_Dense", "pylate.models.Dense.Dense")][:dense_layers]
        files = {"modules.json": modules(*behind, pooling=None), "tokenizer_config.json": {**GENERAL, "model_max_length": 60},
                 "sentence_bert_config.json": {"max_seq_length": 40, "do_lower_case": False}, "1_Dense/config.json": config,
                 "config_sentence_transformers.json": {
                     "model_type": "ColBERT", "prompts": {"query": "", "document": ""}, "default_prompt_name": None,
                     "similarity_fn_name": "MaxSim", "query_prefix": "[UNK]", "document_prefix": "of", "query_length": 12,
                     "document_length": 24, "attend_to_expansion_tokens": False, "skiplist_words": [".", ";", "the"],
                     "do_query_expansion": True, **settings}}
        tensors = {"1_Dense/model.safetensors": weights}
        if dense_layers > 1:
            files["2_Dense/config.json"] = second
            tensors["2_Dense/model.safetensors"] = more
        return {"base": "bert", "files": files, "tensors": tensors}

    yield "pylate", pylate()
    yield "pylate, two layers", pylate(2)
    yield "pylate that attends to masks", pylate(attend_to_expansion_tokens=True)
    yield "pylate without expansion", pylate(do_query_expansion=False)
    yield "pylate without markers", pylate(query_prefix="", document_prefix="")
    yield "pylate that skips nothing", pylate(skiplist_words=[])
    yield "pylate that skips what is no token", pylate(skiplist_words=["zzzzz"])
    base = json.loads((HERE / "tiny/bert/config.json").read_text())
    yield "stanford", {
        "base": "bert", "prefix": "bert.",
        "files": {"config.json": {**base, "architectures": ["HF_ColBERT"]}, "tokenizer_config.json": {**GENERAL, "model_max_length": 60},
                  "artifact.metadata": {"query_token_id": "[UNK]", "doc_token_id": "of", "query_maxlen": 14, "doc_maxlen": 30,
                                        "attend_to_mask_tokens": False, "mask_punctuation": True, "dim": 4, "similarity": "cosine"}},
        "tensors": {"model.safetensors": {"linear.weight": weights["linear.weight"]}}}


def run_late(layout, where):
    from pylate import models

    model = models.ColBERT(where, device="cpu")
    vectors = lambda text, query: torch.tensor(model.encode([text], is_query=query, show_progress_bar=False)[0])
    scores = []
    for query, passage in PAIRS:
        cosines = vectors(query, True) @ vectors(passage, False).T
        scores.append(round(float(cosines.max(1).values.mean()), 6))
    return scores


def main():
    late = sys.argv[1:] == ["pylate"]
    kept = {}
    if OUT.exists():
        kept = {name: l for name, l in json.loads(OUT.read_text())["layouts"].items() if ("late" in l["kind"]) != late}
    kinds = [("late", late_layouts, run_late)] if late else [
        ("sentence", sentence_layouts, run_sentence), ("static", static_layouts, run_static), ("reranker", reranker_layouts, run_reranker)]
    for kind, layouts, run in kinds:
        for name, layout in layouts():
            with tempfile.TemporaryDirectory() as where:
                build(layout, where)
                result = run(layout, where)
            kept[name] = {"kind": kind, **layout, ("scores" if kind in ("late", "reranker") else "vectors"): result}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(layout, separators=(',', ':'))}" for name, layout in sorted(kept.items()))
    OUT.write_text(f'{{"texts": {json.dumps(TEXTS)},\n"pairs": {json.dumps(PAIRS)},\n"layouts": {{\n{lines}\n}}}}\n')


main()
