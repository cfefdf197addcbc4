"""Writes words.json beside this file: texts, and the words that BM25 counts in them; see README.md there."""

import json
import unicodedata
from pathlib import Path

import snowballstemmer
import uniseg.wordbreak

HERE = Path(__file__).parent
STOP_WORDS = set(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these "
    "they this to was will with".split()
)
TEXTS = [
    "This Agreement shall automatically renew for successive one (1) year terms unless either party gives "
    "written notice of non-renewal at least sixty (60) days prior to the expiration of the then-current term.",
    "The Supplier's prices, renewals and cancellations are governed by §7.1 of Schedule B-12; see also 3.2.1.",
    "NOTWITHSTANDING the foregoing, Licensee’s obligations hereunder will not be terminated, nor assigned.",
    "Payments of USD 1,250.50 become due within thirty days after receiving an invoice (no later than 5 p.m.).",
    "Either party's indemnification obligations survive; the indemnified party shall cooperate reasonably.",
    "con\u00adfidential in\ufb01nite in\ufb02ation o\ufb03ce \ufb01nal",
    "Straße STRASSE straße, ÉTÉ été e\u0301te\u0301, ＡＢＣ１２３ ½ № ™",
    "Σίσυφος ΣΊΣΥΦΟΣ και Ὀδυσσεύς",
    "Договор продлевается автоматически на ОДИН год; срок действия — 12 месяцев.",
    "naïve coöperation façade, résumé, jalapeño, Łódź, Ærø",
    "user@example.com https://example.com/a?b=1 v2.0-beta 10:30 #hash $5 50% C++ R&D AT&T",
    "don't can't won't it's they'll we're o'clock 'quoted' \"double\" rock'n'roll",
    "hyphen-ated words—em dash–en dash…ellipsis/slash\\backslash",
    "running runs ran runner easily fairly generously communities relational conditional happy happiness",
    "skies dying lying tying news innings outing cannings herring earring proceed exceed succeed early only",
    "generalizations oscillators hopping hoped hoping fly flies cry cries by say skis andes atlas cosmos bias",
    "שלום עולם, مرحبا بالعالم",
    "हिन्दी में अनुबंध",
]


def words(text):
    text = unicodedata.normalize("NFKC", text.replace("\u00ad", "").replace("’", "'")).casefold()
    text = unicodedata.normalize("NFC", text)
    found = [w for w in uniseg.wordbreak.words(text) if any(c.isalnum() for c in w)]
    stemmer = snowballstemmer.stemmer("english")
    return {
        "plain": found,
        "english": [stemmer.stemWord(w) for w in found if w not in STOP_WORDS],
    }


cases = [{"text": text, **words(text)} for text in TEXTS]
(HERE / "words.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
