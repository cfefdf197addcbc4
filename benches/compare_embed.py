"""CPU time of knockon's embedder against ONNX Runtime and sentence-transformers, on one model and the same texts.

    pip install onnxruntime onnx sentence-transformers
    cargo build --profile dist --example embed_texts
    python benches/compare_embed.py DIR MODEL.onnx [--threads 1] [--rounds 3]

DIR holds the f32 model (`knockon models pull gte-small`: models/cache/gte-small), MODEL.onnx the same weights; its
int8 form is made here by ONNX Runtime's quantize_dynamic. The engines take turns, so that what else the machine does
affects all equally; CPU time is compared, on one thread by default and without loading. ONNX Runtime gets
batches of 32 in the order of the texts, padded to their longest; sentence-transformers sorts by length first, as it
always does.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime
import onnxruntime.quantization
import tokenizers

parser = argparse.ArgumentParser()
parser.add_argument("dir")
parser.add_argument("onnx")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--tokens", type=int, default=8192, help="tokens of a workload, about")
args = parser.parse_args()
BINARY = pathlib.Path(__file__).parent.parent / "target/dist/examples/embed_texts"
TICK = os.sysconf("SC_CLK_TCK")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Knockon:
    def __init__(self, precision):
        env = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
        command = [BINARY, args.dir, precision]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        assert self.child.stdout.readline() == "ready\n"

    def used(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def ask(self, texts, vectors="-"):
        self.child.stdin.write(f"{texts} {vectors}\n")
        self.child.stdin.flush()
        assert self.child.stdout.readline() == "done\n"

    def time(self, texts, path):
        before = self.used()
        self.ask(path)
        return self.used() - before

    def vectors(self, texts, path):
        self.ask(path, path + ".vectors")
        assert self.child.stdout.readline() == "written\n"
        return np.array(json.load(open(path + ".vectors")))


class Here:
    """An engine in this process."""

    def time(self, texts, path):
        before = time.process_time()
        self.vectors(texts, path)
        return time.process_time() - before


class Ort(Here):
    def __init__(self, file):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(f"{args.dir}/tokenizer.json")
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(512)

    def vectors(self, texts, path):
        rows = []
        for i in range(0, len(texts), 32):
            batch = self.tokenizer.encode_batch(texts[i : i + 32])
            ids = np.array([e.ids for e in batch])
            mask = np.array([e.attention_mask for e in batch])
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            feed = {i.name: feed[i.name] for i in self.session.get_inputs()}
            states = self.session.run(None, feed)[0]
            rows.append((states * mask[..., None]).sum(1))
        return unit(np.concatenate(rows))


class SentenceTransformers(Here):
    def __init__(self):
        import sentence_transformers
        import torch

        torch.set_num_threads(args.threads)
        self.model = sentence_transformers.SentenceTransformer(args.dir, device="cpu")

    def vectors(self, texts, path):
        return self.model.encode(texts, batch_size=32, normalize_embeddings=True)


def workloads():
    rng = random.Random(1)
    words = "notice term party lease buyer seller rate price date clause contract market law state court fee".split()
    text = lambda tokens: " ".join(rng.choice(words) for _ in range(tokens - 2))
    lengths = {"64 tokens": [64], "256 tokens": [256], "8 to 256 tokens": range(8, 257)}
    for name, choice in lengths.items():
        texts, total = [], 0
        while total < args.tokens:
            n = rng.choice(choice)
            texts.append(text(n))
            total += n
        yield name, texts


with tempfile.TemporaryDirectory() as scratch:
    int8 = f"{scratch}/int8.onnx"
    onnxruntime.quantization.quantize_dynamic(args.onnx, int8, weight_type=onnxruntime.quantization.QuantType.QInt8)
    engines = {
        "knockon f32": Knockon("f32"),
        "onnxruntime f32": Ort(args.onnx),
        "sentence-transformers f32": SentenceTransformers(),
        "knockon int8": Knockon("int8"),
        "onnxruntime int8": Ort(int8),
    }
    print(f"{args.dir}, {args.threads} thread(s), CPU seconds, median of {args.rounds}; cosine to onnxruntime f32")
    for name, texts in workloads():
        path = f"{scratch}/texts.json"
        json.dump(texts, open(path, "w"))
        # The first time also warms up.
        vectors = {engine: e.vectors(texts, path) for engine, e in engines.items()}
        taken = {engine: [] for engine in engines}
        for _ in range(args.rounds):
            for engine, e in engines.items():
                taken[engine].append(e.time(texts, path))
        seconds = {engine: statistics.median(t) for engine, t in taken.items()}
        print(f"\n{name}, {len(texts)} texts")
        for engine in engines:
            cosine = (vectors[engine] * vectors["onnxruntime f32"]).sum(1)
            print(f"  {engine:26} {seconds[engine]:8.3f} s  cosine mean {cosine.mean():.5f} least {cosine.min():.5f}")
        for ours, theirs in [
            ("knockon f32", "onnxruntime f32"),
            ("knockon f32", "sentence-transformers f32"),
            ("knockon int8", "onnxruntime int8"),
        ]:
            print(f"  {ours} is {seconds[theirs] / seconds[ours]:.2f} times as fast as {theirs}")
