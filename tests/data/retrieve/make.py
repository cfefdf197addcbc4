"""Writes metrics.json, bm25.json and fusion.json beside this file; see README.md there."""

import json
import random
from pathlib import Path

import bm25s
import numpy as np
import pytrec_eval
from ranx import Run, fuse

HERE = Path(__file__).parent
CUTS = [1, 3, 5, 10, 100]


def write(name, record):
    (HERE / name).write_text(json.dumps(record, separators=(",", ":")) + "\n")


def metrics(rng):
    """40 queries over 60 passages: odd ones judged 0 or 1, even ones 0 to 3, the last without any
    relevant passage. Rankings of 0 to 60 passages. Scores are distinct."""
    qrels, run, cases = {}, {}, []
    for q in range(40):
        top = 1 if q % 2 else 3
        judged = rng.sample(range(60), rng.randint(1, 25))
        gains = {p: (0 if q == 39 else rng.randint(0, top)) for p in judged}
        ranking = rng.sample(range(60), 60 if q == 0 else rng.randint(1, 40))
        qrels[f"q{q}"] = {f"p{p}": g for p, g in gains.items()}
        run[f"q{q}"] = {f"p{p}": 100.0 - place for place, p in enumerate(ranking)}
        cases.append({"gains": sorted(gains.items()), "ranking": ranking})
    cuts = ",".join(map(str, CUTS))
    wanted = {f"recall.{cuts}", f"ndcg_cut.{cuts}", f"success.{cuts}", "recip_rank"}
    measured = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run)
    for q, case in enumerate(cases):
        values = measured[f"q{q}"]
        for ours, theirs in [("recall", "recall"), ("ndcg", "ndcg_cut"), ("hit", "success")]:
            case[ours] = [values[f"{theirs}_{k}"] for k in CUTS]
        case["reciprocal_rank"] = values["recip_rank"]
    write("metrics.json", {"cuts": CUTS, "cases": cases})


def bm25(rng):
    """200 passages of 1 to 40 words out of 150, drawn by Zipf's law; 20 and 21 are the same. 30
    queries, some with repeated or unknown words."""
    words = [f"w{i}" for i in range(150)]
    weights = [1 / (i + 1) for i in range(150)]
    passages = [rng.choices(words, weights, k=rng.randint(1, 40)) for _ in range(200)]
    passages[21] = passages[20]
    queries = [rng.choices(words, k=rng.randint(1, 6)) for _ in range(28)]
    queries += [[*passages[20][:3], passages[20][0], "unknown"], ["unknown"]]
    model = bm25s.BM25(method="lucene", k1=0.9, b=0.4, dtype="float64")
    model.index(passages, show_progress=False)
    expected = []
    for query in queries:
        known = [w for w in query if w in model.vocab_dict]
        scores = model.get_scores(known) if known else np.zeros(200)
        best = sorted((p for p in range(200) if scores[p] > 0), key=lambda p: (-scores[p], p))[:20]
        # Ranks are compared exactly: no two scores may differ by a rounding error only.
        gaps = [scores[a] - scores[b] for a, b in zip(best, best[1:])]
        assert all(gap == 0 or gap > 1e-5 for gap in gaps), gaps
        expected.append([[p, float(scores[p])] for p in best])
    write("bm25.json", {
        "passages": [" ".join(p) for p in passages],
        "queries": [" ".join(q) for q in queries],
        "expected": expected,
    })


def fusion(rng):
    """10 queries, for each the rankings of three embedders over 80 passages, of 2 to 40 each, scores on
    scales of their own."""
    rankings = []
    for q in range(10):
        scales = [(0, 30), (-1, 1), (-11, 11)]
        drawn = [rng.sample(range(80), rng.randint(2, 40)) for _ in scales]
        # Scores are kept to what single precision holds exactly.
        scores = [sorted((float(np.float32(rng.uniform(*s))) for _ in d), reverse=True)
                  for s, d in zip(scales, drawn)]
        rankings.append([list(map(list, zip(d, s))) for d, s in zip(drawn, scores)])
    weights = [0.5, 1.0, 0.25]
    runs = [
        Run({f"q{q}": {f"p{p}": s for p, s in lists[e]} for q, lists in enumerate(rankings)})
        for e in range(3)
    ]

    def ranked(fused):
        found = []
        for q in range(10):
            scores = {int(p[1:]): float(s) for p, s in dict(fused.run[f"q{q}"]).items()}
            ordered = sorted(scores.items(), key=lambda hit: (-round(hit[1], 12), hit[0]))
            # As above: what is not a tie is further apart than rounding.
            gaps = [a[1] - b[1] for a, b in zip(ordered, ordered[1:])]
            assert all(abs(gap) < 1e-12 or gap > 1e-7 for gap in gaps), gaps
            found.append(ordered)
        return found

    write("fusion.json", {
        "rankings": rankings,
        "weights": weights,
        "rrf": ranked(fuse(runs, method="rrf", norm=None, params={"k": 60})),
        "convex": ranked(fuse(runs, method="wsum", norm="min-max", params={"weights": weights})),
    })


metrics(random.Random(1))
bm25(random.Random(2))
fusion(random.Random(3))
