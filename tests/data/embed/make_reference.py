"""Makes the reference vectors beside this file with the models' own Python libraries.

    pip install sentence-transformers model2vec
    python make_reference.py MINILM_DIR POTION_DIR

MINILM_DIR and POTION_DIR hold the original weights (`knockon models pull NAME`).
"""

import json
import pathlib
import sys

import model2vec
import sentence_transformers

HERE = pathlib.Path(__file__).parent

CLAUSE = (
    "This Agreement shall commence on the Effective Date and shall continue in force for an initial term of "
    "three (3) years, and shall thereafter renew automatically for successive periods of one (1) year unless "
    "either party gives written notice of non-renewal at least sixty (60) days before the end of the then "
    "current term. "
)

TEXTS = [
    "",
    " ",
    "?",
    "a",
    "When does the agreement expire?",
    "The buyer sued the seller.",
    "The seller sued the buyer.",
    "Neither party may assign this Agreement without the prior written consent of the other party.",
    "Either party may assign this Agreement without the prior written consent of the other party.",
    "Governed by the laws of the State of New York, without regard to conflict of laws principles.",
    "Liability is capped at USD 1,250,000.00 (one million two hundred fifty thousand dollars).",
    "Notice period: 60 days; renewal term 12 months; effective 06/21/00.",
    "Größe über Straße: naïve café, Ærøskøbing, ﬁne print",
    "契約は2024年3月31日に満了する。",
    "Договор вступает в силу с момента подписания",
    "emoji \U0001f600 and \u200bzero\u00a0width\tand\r\ncontrol \u0007 characters",
    "antidisestablishmentarianism" * 5,
    "[CLS] literal [SEP] tokens [MASK] and [UNK]",
    "q1 revenue was 3.4% below plan; EBITDA (adj.) rose to $12.7m, vs. $11.9m",
    CLAUSE,
    CLAUSE * 3,
    CLAUSE * 8,
    "word " * 254,
    "word " * 255,
]


def write(name, made_with, texts, vectors):
    rows = [[round(float(x), 7) for x in v] for v in vectors]
    with open(HERE / name, "w", encoding="utf-8") as f:
        f.write('{"made_with": %s,\n"texts": %s,\n"vectors": [\n' % (json.dumps(made_with), json.dumps(texts)))
        f.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in rows))
        f.write("\n]}\n")


minilm = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu")
assert minilm.max_seq_length == 256, minilm.max_seq_length
write(
    "minilm.json",
    f"sentence-transformers {sentence_transformers.__version__}, all-MiniLM-L6-v2, f32, normalize_embeddings",
    TEXTS,
    # One text at a time: no padding, so no trace of the batch in the last digits.
    [minilm.encode([t], normalize_embeddings=True)[0] for t in TEXTS],
)

potion = model2vec.StaticModel.from_pretrained(sys.argv[2])
write(
    "potion.json",
    f"model2vec {model2vec.__version__}, potion-base-8M, f32",
    TEXTS,
    [potion.encode([t])[0] for t in TEXTS],
)
