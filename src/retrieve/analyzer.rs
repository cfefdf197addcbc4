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

/// Lucene's stop words that [`StopWordList::English`] keeps.
const NEGATIONS: [&str; 2] = ["no", "not"];

/// Which words are removed because they are too frequent to distinguish passages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StopWordList {
    None,
    English,
    Lucene,
}

/// The language of the stemming algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StemmerLanguage {
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

impl StemmerLanguage {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            StemmerLanguage::None => "none",
            StemmerLanguage::Arabic => "arabic",
            StemmerLanguage::Danish => "danish",
            StemmerLanguage::Dutch => "dutch",
            StemmerLanguage::English => "english",
            StemmerLanguage::Finnish => "finnish",
            StemmerLanguage::French => "french",
            StemmerLanguage::German => "german",
            StemmerLanguage::Greek => "greek",
            StemmerLanguage::Hungarian => "hungarian",
            StemmerLanguage::Italian => "italian",
            StemmerLanguage::Norwegian => "norwegian",
            StemmerLanguage::Portuguese => "portuguese",
            StemmerLanguage::Romanian => "romanian",
            StemmerLanguage::Russian => "russian",
            StemmerLanguage::Spanish => "spanish",
            StemmerLanguage::Swedish => "swedish",
            StemmerLanguage::Tamil => "tamil",
            StemmerLanguage::Turkish => "turkish",
        }
    }

    fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            StemmerLanguage::None => return None,
            StemmerLanguage::Arabic => Algorithm::Arabic,
            StemmerLanguage::Danish => Algorithm::Danish,
            StemmerLanguage::Dutch => Algorithm::Dutch,
            StemmerLanguage::English => Algorithm::English,
            StemmerLanguage::Finnish => Algorithm::Finnish,
            StemmerLanguage::French => Algorithm::French,
            StemmerLanguage::German => Algorithm::German,
            StemmerLanguage::Greek => Algorithm::Greek,
            StemmerLanguage::Hungarian => Algorithm::Hungarian,
            StemmerLanguage::Italian => Algorithm::Italian,
            StemmerLanguage::Norwegian => Algorithm::Norwegian,
            StemmerLanguage::Portuguese => Algorithm::Portuguese,
            StemmerLanguage::Romanian => Algorithm::Romanian,
            StemmerLanguage::Russian => Algorithm::Russian,
            StemmerLanguage::Spanish => Algorithm::Spanish,
            StemmerLanguage::Swedish => Algorithm::Swedish,
            StemmerLanguage::Tamil => Algorithm::Tamil,
            StemmerLanguage::Turkish => Algorithm::Turkish,
        })
    }
}

/// How a text is split into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Analyzer {
    pub stem: StemmerLanguage,
    pub stop_words: StopWordList,
    pub lowercase: bool,
    /// Whether accents are removed from letters.
    pub fold: bool,
}

impl Default for Analyzer {
    fn default() -> Analyzer {
        Analyzer {
            stem: StemmerLanguage::English,
            stop_words: StopWordList::English,
            lowercase: true,
            fold: false,
        }
    }
}

impl StopWordList {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            StopWordList::None => "none",
            StopWordList::English => "english",
            StopWordList::Lucene => "lucene",
        }
    }

    fn contains(self, token: &str) -> bool {
        match self {
            StopWordList::None => false,
            StopWordList::English => {
                StopWordList::Lucene.contains(token) && !NEGATIONS.contains(&token)
            }
            StopWordList::Lucene => ENGLISH_STOP_WORDS.binary_search(&token).is_ok(),
        }
    }
}

impl Analyzer {
    /// Words as they appear in the text, in lower case.
    pub const PLAIN: Analyzer = Analyzer {
        stem: StemmerLanguage::None,
        stop_words: StopWordList::None,
        lowercase: true,
        fold: false,
    };

    /// The words of a text, in order.
    pub fn words(&self, text: &str) -> Vec<String> {
        let stems = self.token_stemmer();
        let mut words = Vec::new();
        self.for_each_token(text, |token| words.extend(stems.stem(token)));
        words
    }

    /// The filter that turns tokens into words: stop words are removed and the rest is stemmed.
    pub(super) fn token_stemmer(&self) -> TokenStemmer {
        let stemmer = self.stem.algorithm().map(Stemmer::create);
        TokenStemmer { stemmer, stop_words: self.stop_words }
    }

    /// Calls `of` with each token of a text, before stop words are removed and the rest is stemmed.
    pub(super) fn for_each_token(&self, text: &str, mut of: impl FnMut(&str)) {
        let text = self.normalized(text);
        // The current run of adjacent characters of scripts without spaces, and the byte at which it ends.
        let (mut run, mut end): (Vec<&str>, usize) = (Vec::new(), 0);
        for (at, segment) in text.unicode_word_indices() {
            if !segment.starts_with(is_unspaced) {
                emit_bigrams(&mut run, &mut of);
                segment.split('_').filter(|word| !word.is_empty()).for_each(&mut of);
                continue;
            }
            if at != end {
                emit_bigrams(&mut run, &mut of);
            }
            run.extend(segment.graphemes(true));
            end = at + segment.len();
        }
        emit_bigrams(&mut run, &mut of);
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
            text = letters
                .flat_map(|c| ascii_replacement(c).chars().chain(unless_replaced(c)))
                .nfc()
                .collect();
        }
        text
    }
}

/// Emits the bigrams of a run of characters, or the character itself if there is only one, and clears the run.
fn emit_bigrams(run: &mut Vec<&str>, of: &mut impl FnMut(&str)) {
    if let [only] = run[..] {
        of(only);
    }
    for pair in run.windows(2) {
        of(&pair.concat());
    }
    run.clear();
}

/// Turns a token into its stem, or into nothing if it is a stop word.
pub(super) struct TokenStemmer {
    stemmer: Option<Stemmer>,
    stop_words: StopWordList,
}

impl TokenStemmer {
    pub fn stem(&self, token: &str) -> Option<String> {
        if self.stop_words.contains(token) {
            return None;
        }
        Some(self.stemmer.as_ref().map_or(token.into(), |stemmer| stemmer.stem(token)).into_owned())
    }
}

/// The characters that replace this one in a case-folded text. Conversion to upper case comes first because it unifies
/// letters that differ only in lower case: ß and SS, ς and σ, ı and i.
fn fold_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
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
fn ascii_replacement(c: char) -> &'static str {
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

/// The character itself if [`ascii_replacement`] has no replacement for it.
fn unless_replaced(c: char) -> Option<char> {
    ascii_replacement(c).is_empty().then_some(c)
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
    fn words_follow_unicode_in_any_encoding() {
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
        assert_eq!(words(Analyzer { stop_words: StopWordList::None, ..Analyzer::default() }), all);
        let stopped = Analyzer { stop_words: StopWordList::Lucene, ..Analyzer::default() };
        assert_eq!(words(stopped), ["tenant", "renew", "renew", "été", "łódź"]);
        let folded = Analyzer { fold: true, ..stopped };
        assert_eq!(words(folded), ["tenant", "renew", "renew", "ete", "lodz"]);
        let cased = Analyzer { lowercase: false, ..PLAIN };
        assert_eq!(words(cased)[..2], ["The", "Tenant"]);
        let german = Analyzer { stem: StemmerLanguage::German, ..PLAIN };
        assert_eq!(german.words("Kündigungen der Verträge"), ["kundig", "der", "vertrag"]);
    }

    #[test]
    fn any_text_gives_words_without_a_panic() {
        let all: String = ('\u{0}'..='\u{10FFFF}').step_by(7).collect();
        for stem in [
            StemmerLanguage::None,
            StemmerLanguage::English,
            StemmerLanguage::Turkish,
            StemmerLanguage::Arabic,
        ] {
            for fold in [true, false] {
                let analyzer = Analyzer { stem, fold, ..PLAIN };
                assert!(analyzer.words(&all).len() > 1000);
            }
        }
    }
}
