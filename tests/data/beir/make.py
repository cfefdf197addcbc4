"""Writes the sets beside this file and expected.json, with what BEIR itself makes of them; see README.md there."""

import json
import logging
import shutil
from pathlib import Path

import bm25s
from beir.datasets.data_loader import GenericDataLoader
from beir.retrieval.evaluation import EvaluateRetrieval

HERE = Path(__file__).parent
HEADER = "query-id\tcorpus-id\tscore\n"

ARGUMENTS = {
    "a1": "zoos should close because animals suffer in cages",
    "a2": "zoos protect rare animals and cages are large today",
    "b1": "taxes on sugar reduce obesity among children in cities",
    "b2": "sugar taxes hurt poor families and do not reduce obesity",
    "c1": "voting should be mandatory for every citizen of age",
    "c2": "mandatory voting forces citizens of age to choose badly",
}


def lines(objects):
    return "".join(json.dumps(o) + "\n" for o in objects)


def passages(texts=ARGUMENTS, **more):
    return lines({"_id": i, "title": "", "text": t, **more} for i, t in texts.items())


def queries(texts):
    return lines({"_id": i, "text": t} for i, t in texts.items())


def counterparts():
    pairs = [("a1", "a2"), ("b1", "b2"), ("c1", "c2")]
    return HEADER + "".join(f"{a}\t{b}\t1\n{b}\t{a}\t1\n" for a, b in pairs)


SETS = {
    # As ArguAna: a query is a passage of the corpus, which must not find itself.
    "own_passage": (passages(), queries(ARGUMENTS), counterparts()),
    # The same, with the passage judged relevant to itself.
    "own_passage_judged": (passages(), queries(ARGUMENTS), counterparts() + "a1\ta1\t1\n"),
    "judged_again": (
        passages(),
        queries({"q1": "taxes on sugar"}),
        HEADER + "q1\tb1\t1\nq1\ta1\t1\nq1\ta1\t0\n",
    ),
    "judged_only_0": (
        passages(),
        queries({"q1": "taxes on sugar", "q2": "zoos", "q3": "voting age", "q4": "not judged"}),
        HEADER + "q1\tb1\t2\nq1\tb2\t1\nq2\ta1\t0\nq2\ta2\t0\nq3\tc2\t1\nq3\tc1\t-1\n",
    ),
    "quoted": (
        passages({'"as-is" clause': "sold as is", "d2": "other text", "d,3": "sold today"}),
        queries({'"as-is" clause': "as is clause", 'say "sold"': "sold"}),
        HEADER + '"""as-is"" clause"\td2\t1\n"say ""sold"""\t"""as-is"" clause"\t1\nsay "sold"\td,3\t2\n',
    ),
    "titles": (
        lines(
            [
                {"_id": "d1", "title": "Sugar", "text": "a tax"},
                {"_id": "d2", "title": "", "text": "sugar tax"},
                {"_id": "d3", "title": "Voting age", "text": ""},
                {"_id": "d4", "title": "Other", "text": "words", "metadata": {"url": "x"}},
            ]
        ),
        queries({"q1": "sugar", "q2": "voting"}),
        HEADER + "q1\td1\t1\nq1\td2\t1\nq2\td3\t1\n",
    ),
    "carriage_returns": (
        passages().replace("\n", "\r"),
        queries({"q1": "taxes on sugar"}).replace("\n", "\r\n"),
        (HEADER + "q1\tb1\t1\nq1\tb2\t3\n").replace("\n", "\r"),
    ),
    # A query that finds nothing is one of the set's queries all the same.
    "nothing_found": (
        passages(),
        queries({"q1": "unknown words", "q2": "sugar"}),
        HEADER + "q1\ta1\t1\nq2\tb2\t1\n",
    ),
}


def found(corpus, asked):
    """What BM25 ranks, by scores that are different for different places: ties go to the first passage here,
    and trec_eval would break them by name."""
    ids = list(corpus)
    texts = [(corpus[i]["title"] + " " + corpus[i]["text"]).lower().replace("-", " ").split() for i in ids]
    model = bm25s.BM25(method="lucene", k1=0.9, b=0.4, dtype="float64")
    model.index(texts, show_progress=False)
    results = {}
    for query, text in asked.items():
        words = [w for w in text.lower().replace("-", " ").split() if w in model.vocab_dict]
        scores = model.get_scores(words) if words else [0.0] * len(ids)
        order = sorted((p for p in range(len(ids)) if scores[p] > 0), key=lambda p: (-round(scores[p], 9), p))
        results[query] = {ids[p]: float(len(ids) - place) for place, p in enumerate(order)}
    return results


logging.disable()
expected = {}
for name, (corpus, asked, qrels) in SETS.items():
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "qrels").mkdir(parents=True)
    for file, text in [("corpus.jsonl", corpus), ("queries.jsonl", asked), ("qrels/test.tsv", qrels)]:
        (folder / file).write_text(text, newline="")
    corpus, asked, qrels = GenericDataLoader(str(folder)).load("test")
    results = found(corpus, asked)
    ndcg, _, recall, _ = EvaluateRetrieval.evaluate(qrels, results, [10])
    mrr = EvaluateRetrieval.evaluate_custom(qrels, results, [10], "mrr")
    expected[name] = {
        "queries": len(asked),
        "nDCG@10": ndcg["NDCG@10"],
        "recall@10": recall["Recall@10"],
        "MRR@10": mrr["MRR@10"],
    }
(HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
