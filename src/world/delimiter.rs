//! What stands between the cells of a table.

use schemars::JsonSchema;
use serde::Deserialize;

/// What stands between cells.
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

    /// As it stands in a file.
    pub fn byte(self) -> u8 {
        match self {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
            Delimiter::Pipe => b'|',
        }
    }

    /// As it is written in a scenario and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Delimiter::Comma => "comma",
            Delimiter::Semicolon => "semicolon",
            Delimiter::Tab => "tab",
            Delimiter::Pipe => "pipe",
        }
    }

    /// The one that a byte is.
    pub fn of_byte(byte: u8) -> Option<Delimiter> {
        Delimiter::ALL.into_iter().find(|delimiter| delimiter.byte() == byte)
    }
}

/// How a user says which delimiter a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DelimiterSetting {
    /// The reader of this file has no such setting.
    #[default]
    None,
    /// `delimiter` beside the file's name in a scenario.
    Scenario,
    /// `--delimiter`.
    CommandLine,
}

impl DelimiterSetting {
    /// What to do where a file has another delimiter than was thought.
    pub fn advice(self, delimiter: Delimiter) -> String {
        let name = delimiter.name();
        match self {
            DelimiterSetting::None => "save it with commas, or as .tsv with tabs".to_owned(),
            DelimiterSetting::Scenario => {
                format!("write `delimiter: {name}` beside the file's name in the scenario")
            }
            DelimiterSetting::CommandLine => format!("is it --delimiter {name}?"),
        }
    }
}
