"""Writes trec_order.json beside this file: runs whose ranks are all the same, and the order in which trec_eval
judges their passages; see README.md there."""

import json
import random
from pathlib import Path

import pytrec_eval

HERE = Path(__file__).parent


def judged_order(scores):
    """The place of each passage, from the precision at each cut when it alone is relevant."""
    order = {}
    for passage in scores:
        cuts = {f"success.{','.join(str(k) for k in range(1, len(scores) + 1))}"}
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {passage: 1}}, cuts)
        measured = evaluator.evaluate({"q": scores})["q"]
        order[passage] = min(k for k in range(1, len(scores) + 1) if measured[f"success_{k}"] == 1.0)
    return sorted(order, key=order.get)


rng = random.Random(4)
cases = []
for _ in range(12):
    names = rng.sample(["p1", "p10", "p2", "P2", "a", "é", "z", "0", "p 3", "doc-7", "文"], rng.randint(2, 9))
    # Ties, and scores that only double precision can tell apart.
    scores = {n: rng.choice([0.5, 0.5, 0.25, 1.0, 0.1, 0.1 + 1e-12, -3.0, 0.0]) for n in names}
    cases.append({"scores": scores, "order": judged_order(scores)})
(HERE / "trec_order.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
