//! The delimiters that separate the cells of a table, and how users set them.

use schemars::JsonSchema;
use serde::Deserialize;

/// The character that separates the cells of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
// The schema does not list aliases by itself.
#[schemars(inline, extend("enum" = ["comma", "semicolon", "tab", "pipe", ",", ";", "\t", "|"]))]
pub enum Delimiter {
    #[serde(alias = ",")]
    Comma,
    #[serde(alias = ";")]
    Semicolon,
    #[serde(alias = "\t")]
    Tab,
    #[serde(alias = "|")]
    Pipe,
}

impl Delimiter {
    pub const ALL: [Delimiter; 4] =
        [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab, Delimiter::Pipe];

    /// The delimiter as a byte of the file.
    pub fn byte(self) -> u8 {
        match self {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
            Delimiter::Pipe => b'|',
        }
    }

    /// The delimiter's name in scenarios and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Delimiter::Comma => "comma",
            Delimiter::Semicolon => "semicolon",
            Delimiter::Tab => "tab",
            Delimiter::Pipe => "pipe",
        }
    }

    /// The delimiter with this byte, if there is one.
    pub fn from_byte(byte: u8) -> Option<Delimiter> {
        Delimiter::ALL.into_iter().find(|delimiter| delimiter.byte() == byte)
    }
}

/// How a user can set the delimiter of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DelimiterSetting {
    /// The file's reader has no such setting.
    #[default]
    None,
    /// Key `delimiter` next to the file's name in a scenario.
    Scenario,
    /// Option `--delimiter`.
    CommandLine,
}

impl DelimiterSetting {
    /// Advice for a file that seems to use `delimiter` instead of the expected one.
    pub fn advice(self, delimiter: Delimiter) -> String {
        let name = delimiter.name();
        match self {
            DelimiterSetting::None => "save it with commas, or as .tsv with tabs".to_owned(),
            DelimiterSetting::Scenario => {
                format!("write `delimiter: {name}` beside the file's name in the scenario")
            }
            DelimiterSetting::CommandLine => format!("did you mean --delimiter {name}?"),
        }
    }
}
