"""CPU time of knockon's exact search against FAISS flat, on the same vectors.

    pip install faiss-cpu numpy
    cargo build --profile dist --example search_vectors
    python benches/compare_search.py [--passages 100000] [--dim 384] [--queries 64] [--depth 10] [--threads 1]

The engines take turns, so that what else the machine does hits both alike; CPU time of the whole process is compared,
with loading left out. FAISS searches its IndexFlatIP, by inner product as we do. Vectors are random and of length one.
The two have to find the same passages, but for ties within rounding.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import faiss
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--passages", type=int, default=100_000)
parser.add_argument("--dim", type=int, default=384)
parser.add_argument("--queries", type=int, default=64)
parser.add_argument("--depth", type=int, default=10)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=9)
args = parser.parse_args()
BINARY = pathlib.Path(__file__).parent.parent / "target/dist/examples/search_vectors"
REPEATS = 5  # a turn's searches: the kernel counts a process's CPU time in hundredths of a second


class Knockon:
    def __init__(self, passages, queries, scratch):
        files = []
        for name, rows in [("passages", passages), ("queries", queries)]:
            files.append(f"{scratch}/{name}")
            rows.tofile(files[-1])
        env = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
        command = [BINARY, str(args.dim), *files, str(args.depth)]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        assert self.child.stdout.readline() == "ready\n"

    def used(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, out=""):
        self.child.stdin.write(f"{out}\n")
        self.child.stdin.flush()
        assert self.child.stdout.readline() == "done\n"

    def time(self):
        before = self.used()
        for _ in range(REPEATS):
            self.ask()
        return (self.used() - before) / REPEATS

    def found(self, scratch):
        self.ask(f"{scratch}/found")
        assert self.child.stdout.readline() == "written\n"
        return np.array(json.load(open(f"{scratch}/found")))


class Faiss:
    def __init__(self, passages, queries):
        faiss.omp_set_num_threads(args.threads)
        self.index = faiss.IndexFlatIP(args.dim)
        self.index.add(passages)
        self.queries = queries

    def time(self):
        before = time.process_time()
        for _ in range(REPEATS):
            self.index.search(self.queries, args.depth)
        return (time.process_time() - before) / REPEATS

    def found(self):
        return self.index.search(self.queries, args.depth)[1]


def unit(rng, rows):
    vectors = rng.standard_normal((rows, args.dim), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


with tempfile.TemporaryDirectory() as scratch:
    rng = np.random.default_rng(1)
    passages, queries = unit(rng, args.passages), unit(rng, args.queries)
    ours, theirs = Knockon(passages, queries, scratch), Faiss(passages, queries)
    same = np.mean([len(set(a) & set(b)) / args.depth for a, b in zip(ours.found(scratch), theirs.found())])
    taken = [(ours.time(), theirs.time()) for _ in range(args.rounds)]
    (knockon, flat), ratio = np.median(taken, axis=0), statistics.median(b / a for a, b in taken)
    print(f"top {args.depth} of {args.passages:,} x {args.dim}, {args.queries} queries, {args.threads} thread(s),")
    print(f"FAISS {faiss.__version__} ({faiss.get_compile_options().strip()}); median of {args.rounds} turns")
    print(f"  knockon {1000 * knockon:8.1f} ms of CPU time")
    print(f"  FAISS   {1000 * flat:8.1f} ms of CPU time, {ratio:.2f} times as much; {same:.2%} of the passages are the same")
