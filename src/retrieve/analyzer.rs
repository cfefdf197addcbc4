//! Splits a text into the terms that BM25 counts, with the steps of Lucene's analyzers.
//!
//! 1. Compatibility characters are replaced by their plain forms (NFKC: the ligature `ﬁ` becomes `fi`, full-width
//!    digits become digits), invisible characters (soft hyphens, joiners) are dropped, and a typographic apostrophe
//!    becomes a plain one.
//! 2. `lowercase`: full case folding, so that `Straße` equals `STRASSE`. Turkish dotted and dotless i are treated as
//!    one letter, because which of them a capital I stands for depends on the language.
//! 3. `fold`: accents are removed, as in Lucene's `ASCIIFoldingFilter`.
//! 4. Words are those of Unicode Standard Annex 29, as in `StandardTokenizer`; `_` also separates words here, because
//!    column names contain it. Scripts without spaces between words give bigrams of adjacent characters, as in
//!    `CJKBigramFilter`; a character that stands alone is a word.
//! 5. `stop_words` are removed, and the rest is stemmed with Snowball's algorithm for the language.
//!
//! The defaults are those of Lucene's `EnglishAnalyzer`, which Anserini, the source of our `k1` and `b`, also uses,
//! with one difference. Words are in lower case and stemmed with the later version of Porter's algorithm (Snowball's
//! `english`, "Porter2"). The difference: of Lucene's 33 stop words, `no` and `not` are kept, because they reverse the
//! meaning of a clause and without them no search could distinguish the two.

use rust_stemmers::{Algorithm, Stemmer};
use schemars::JsonSchema;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

/// `EnglishAnalyzer.ENGLISH_STOP_WORDS_SET` of Lucene.
const ENGLISH_STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// Lucene's stop words that [`StopWords::English`] keeps.
const NEGATIONS: [&str; 2] = ["no", "not"];

/// Which words are removed because they are too frequent to distinguish passages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StopWords {
    None,
    English,
    Lucene,
}

/// The language of the stemming algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Stem {
    None,
    Arabic,
    Danish,
    Dutch,
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
}

impl Stem {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Stem::None => "none",
            Stem::Arabic => "arabic",
            Stem::Danish => "danish",
            Stem::Dutch => "dutch",
            Stem::English => "english",
            Stem::Finnish => "finnish",
            Stem::French => "french",
            Stem::German => "german",
            Stem::Greek => "greek",
            Stem::Hungarian => "hungarian",
            Stem::Italian => "italian",
            Stem::Norwegian => "norwegian",
            Stem::Portuguese => "portuguese",
            Stem::Romanian => "romanian",
            Stem::Russian => "russian",
            Stem::Spanish => "spanish",
            Stem::Swedish => "swedish",
            Stem::Tamil => "tamil",
            Stem::Turkish => "turkish",
        }
    }

    fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            Stem::None => return None,
            Stem::Arabic => Algorithm::Arabic,
            Stem::Danish => Algorithm::Danish,
            Stem::Dutch => Algorithm::Dutch,
            Stem::English => Algorithm::English,
            Stem::Finnish => Algorithm::Finnish,
            Stem::French => Algorithm::French,
            Stem::German => Algorithm::German,
            Stem::Greek => Algorithm::Greek,
            Stem::Hungarian => Algorithm::Hungarian,
            Stem::Italian => Algorithm::Italian,
            Stem::Norwegian => Algorithm::Norwegian,
            Stem::Portuguese => Algorithm::Portuguese,
            Stem::Romanian => Algorithm::Romanian,
            Stem::Russian => Algorithm::Russian,
            Stem::Spanish => Algorithm::Spanish,
            Stem::Swedish => Algorithm::Swedish,
            Stem::Tamil => Algorithm::Tamil,
            Stem::Turkish => Algorithm::Turkish,
        })
    }
}

/// How a text is split into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Analyzer {
    pub stem: Stem,
    pub stop_words: StopWords,
    pub lowercase: bool,
    /// Whether accents are removed from letters.
    pub fold: bool,
}

impl Default for Analyzer {
    fn default() -> Analyzer {
        Analyzer {
            stem: Stem::English,
            stop_words: StopWords::English,
            lowercase: true,
            fold: false,
        }
    }
}

impl StopWords {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            StopWords::None => "none",
            StopWords::English => "english",
            StopWords::Lucene => "lucene",
        }
    }

    fn contains(self, token: &str) -> bool {
        match self {
            StopWords::None => false,
            StopWords::English => StopWords::Lucene.contains(token) && !NEGATIONS.contains(&token),
            StopWords::Lucene => ENGLISH_STOP_WORDS.binary_search(&token).is_ok(),
        }
    }
}

impl Analyzer {
    /// Words as they appear in the text, in lower case.
    pub const PLAIN: Analyzer =
        Analyzer { stem: Stem::None, stop_words: StopWords::None, lowercase: true, fold: false };

    /// The words of a text, in order.
    pub fn words(&self, text: &str) -> Vec<String> {
        let stems = self.stems();
        let mut words = Vec::new();
        self.each_token(text, |token| words.extend(stems.of(token)));
        words
    }

    /// The filter that turns tokens into words: stop words are removed and the rest is stemmed.
    pub(super) fn stems(&self) -> Stems {
        let stemmer = self.stem.algorithm().map(Stemmer::create);
        Stems { stemmer, stop_words: self.stop_words }
    }

    /// Calls `of` with each token of a text, before stop words are removed and the rest is stemmed.
    pub(super) fn each_token(&self, text: &str, mut of: impl FnMut(&str)) {
        let text = self.normalized(text);
        // The current run of adjacent characters of scripts without spaces, and the byte at which it ends.
        let (mut run, mut end): (Vec<&str>, usize) = (Vec::new(), 0);
        for (at, segment) in text.unicode_word_indices() {
            if !segment.starts_with(is_unspaced) {
                pairs(&mut run, &mut of);
                segment.split('_').filter(|word| !word.is_empty()).for_each(&mut of);
                continue;
            }
            if at != end {
                pairs(&mut run, &mut of);
            }
            run.extend(segment.graphemes(true));
            end = at + segment.len();
        }
        pairs(&mut run, &mut of);
    }

    fn normalized(&self, text: &str) -> String {
        if text.is_ascii() {
            return if self.lowercase { text.to_ascii_lowercase() } else { text.to_owned() };
        }
        let seen = text.chars().filter(|c| !is_ignorable(*c));
        let seen = seen.map(|c| if c == '\u{2019}' { '\'' } else { c });
        let mut text: String = seen.nfkc().collect();
        if self.lowercase {
            text = text.chars().flat_map(fold_case).nfc().collect();
            // Folding a capital dotted I leaves a combining dot above.
            text = text.replace("i\u{307}", "i");
        }
        if self.fold {
            let letters = text.nfd().filter(|c| !('\u{300}'..='\u{36F}').contains(c));
            text = letters.flat_map(|c| without_stroke(c).chars().chain(kept(c))).nfc().collect();
        }
        text
    }
}

/// Emits the bigrams of a run of characters, or the character itself if there is only one, and clears the run.
fn pairs(run: &mut Vec<&str>, of: &mut impl FnMut(&str)) {
    if let [only] = run[..] {
        of(only);
    }
    for pair in run.windows(2) {
        of(&pair.concat());
    }
    run.clear();
}

/// Turns a token into its stem, or into nothing if it is a stop word.
pub(super) struct Stems {
    stemmer: Option<Stemmer>,
    stop_words: StopWords,
}

impl Stems {
    pub fn of(&self, token: &str) -> Option<String> {
        if self.stop_words.contains(token) {
            return None;
        }
        Some(self.stemmer.as_ref().map_or(token.into(), |stemmer| stemmer.stem(token)).into_owned())
    }
}

/// The characters that replace this one in a case-folded text. Conversion to upper case comes first because it unifies
/// letters that differ only in lower case: ß and SS, ς and σ, ı and i.
fn fold_case(c: char) -> impl Iterator<Item = char> {
    let lower = |c: char| c.to_lowercase();
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(lower)
}

/// Whether a character affects the appearance of a text but not its content.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        // Soft hyphen, combining grapheme joiner, directional marks, word joiner, byte order mark.
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{200C}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
        // Variation selectors.
        | '\u{180B}'..='\u{180D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// The ASCII form of letters that do not decompose into a base letter and a mark; empty for all others.
fn without_stroke(c: char) -> &'static str {
    match c {
        'ł' => "l",
        'Ł' => "L",
        'ø' => "o",
        'Ø' => "O",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ı' => "i",
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "TH",
        _ => "",
    }
}

/// The character itself if [`without_stroke`] has no replacement for it.
fn kept(c: char) -> Option<char> {
    without_stroke(c).is_empty().then_some(c)
}

/// Whether a character belongs to a script that is written without spaces between words, or whose words
/// are so long that only parts of them match (Korean).
fn is_unspaced(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    // The mark that lengthens a vowel belongs to several scripts.
    c == '\u{30FC}'
        || matches!(
            c.script(),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Hangul
                | Script::Bopomofo
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Analyzer = Analyzer::PLAIN;

    #[test]
    fn stop_words_are_sorted() {
        assert!(ENGLISH_STOP_WORDS.is_sorted());
    }

    #[test]
    fn words_are_those_of_unicode_whatever_they_are_written_with() {
        for (text, expected) in [
            (
                "Don't RENEW: Straße_42, ÉTÉ (§7.1)",
                &["don't", "renew", "strasse", "42", "été", "7.1"][..],
            ),
            (
                "The tenant\u{2019}s e-mail is 1,000.50",
                &["the", "tenant's", "e", "mail", "is", "1,000.50"],
            ),
            // Ligatures, soft hyphens, full-width and half-width forms.
            ("con\u{AD}ﬁ\u{AD}dential in\u{FB02}ation", &["confidential", "inflation"]),
            ("ﬀ ﬃ ﬅ ＡＢＣ１２ ①", &["ff", "ffi", "st", "abc12", "1"]),
            ("ｶﾞｲﾄﾞ", &["ガイ", "イド"]),
            // Composed and decomposed.
            ("e\u{301}te\u{301} été", &["été", "été"]),
            // Turkish: dotted and dotless, capital and small.
            ("İSTANBUL istanbul ISTANBUL ıstanbul", &["istanbul"; 4]),
            ("ΣΊΣΥΦΟΣ σίσυφος ΣΊΣΥΦΟς", &["σίσυφοσ"; 3]),
            ("ẞ ß SS ſs", &["ss"; 4]),
            // Scripts without spaces.
            (
                "保固期間為十年，自購買日。",
                &["保固", "固期", "期間", "間為", "為十", "十年", "自購", "購買", "買日"],
            ),
            ("保 固", &["保", "固"]),
            ("東京タワーのABC店", &["東京", "京タ", "タワ", "ワー", "ーの", "abc", "店"]),
            ("한국어 문서", &["한국", "국어", "문서"]),
            ("ส้ม", &["ส้ม"]),
            ("👍 -- … \u{200B}", &[]),
            ("", &[]),
        ] {
            assert_eq!(PLAIN.words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn each_step_can_be_switched() {
        let words =
            |analyzer: Analyzer| analyzer.words("The Tenant will not renew Renewals of ÉTÉ Łódź");
        assert_eq!(words(Analyzer::default()), ["tenant", "not", "renew", "renew", "été", "łódź"]);
        let all = ["the", "tenant", "will", "not", "renew", "renew", "of", "été", "łódź"];
        assert_eq!(words(Analyzer { stop_words: StopWords::None, ..Analyzer::default() }), all);
        let stopped = Analyzer { stop_words: StopWords::Lucene, ..Analyzer::default() };
        assert_eq!(words(stopped), ["tenant", "renew", "renew", "été", "łódź"]);
        let folded = Analyzer { fold: true, ..stopped };
        assert_eq!(words(folded), ["tenant", "renew", "renew", "ete", "lodz"]);
        let cased = Analyzer { lowercase: false, ..PLAIN };
        assert_eq!(words(cased)[..2], ["The", "Tenant"]);
        let german = Analyzer { stem: Stem::German, ..PLAIN };
        assert_eq!(german.words("Kündigungen der Verträge"), ["kundig", "der", "vertrag"]);
    }

    #[test]
    fn any_text_gives_words_without_a_panic() {
        let all: String = ('\u{0}'..='\u{10FFFF}').step_by(7).collect();
        for stem in [Stem::None, Stem::English, Stem::Turkish, Stem::Arabic] {
            for fold in [true, false] {
                let analyzer = Analyzer { stem, fold, ..PLAIN };
                assert!(analyzer.words(&all).len() > 1000);
            }
        }
    }
}
