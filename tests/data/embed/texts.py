"""The texts of all reference vectors: short, long, empty, foreign and odd ones."""

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
