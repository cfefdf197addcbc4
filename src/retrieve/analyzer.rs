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

use rust_stemmers::Stemmer;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::characters::{ascii_replacement, fold_case, is_ignorable, is_unspaced, unless_replaced};
use super::stemmer_language::StemmerLanguage;
use super::stop_words::StopWordList;

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

    /// Calls `visit` with each token of a text, before stop words are removed and the rest is stemmed.
    pub(super) fn for_each_token(&self, text: &str, mut visit: impl FnMut(&str)) {
        let text = self.normalized(text);
        // The current run of adjacent characters of scripts without spaces, and the byte at which it ends.
        let (mut run, mut end): (Vec<&str>, usize) = (Vec::new(), 0);
        for (at, segment) in text.unicode_word_indices() {
            if !segment.starts_with(is_unspaced) {
                emit_bigrams(&mut run, &mut visit);
                segment.split('_').filter(|word| !word.is_empty()).for_each(&mut visit);
                continue;
            }
            if at != end {
                emit_bigrams(&mut run, &mut visit);
            }
            run.extend(segment.graphemes(true));
            end = at + segment.len();
        }
        emit_bigrams(&mut run, &mut visit);
    }

    /// The text in its plain form (steps 1 to 3).
    fn normalized(&self, text: &str) -> String {
        // A shortcut: of all steps, only the lower case changes ASCII.
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
fn emit_bigrams(run: &mut Vec<&str>, visit: &mut impl FnMut(&str)) {
    if let [only] = run[..] {
        visit(only);
    }
    for pair in run.windows(2) {
        visit(&pair.concat());
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Analyzer = Analyzer::PLAIN;

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
