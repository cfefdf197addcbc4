//! Parameters of readers and guards: structs with one field a parameter, and values with their sources. A parameter is
//! referred to by an enum; its name exists only to be shown, so that no unknown name can be looked up.

use serde::Serialize;

/// How reliable a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterProvenance {
    /// From a published table that we have read.
    Cited,
    /// From a secondary source, or derived from a cited figure by a stated assumption.
    Indicative,
    /// Our own assumption.
    Assumed,
    /// Given in the scenario file.
    Scenario,
    /// Fitted to recorded answers of the reader that it describes.
    Measured,
}

impl ParameterProvenance {
    /// All of them, the best backed first.
    pub const ALL: [ParameterProvenance; 5] = [
        ParameterProvenance::Measured,
        ParameterProvenance::Cited,
        ParameterProvenance::Indicative,
        ParameterProvenance::Assumed,
        ParameterProvenance::Scenario,
    ];

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            ParameterProvenance::Cited => "cited",
            ParameterProvenance::Indicative => "indicative",
            ParameterProvenance::Assumed => "assumed",
            ParameterProvenance::Scenario => "scenario",
            ParameterProvenance::Measured => "measured",
        }
    }
}

/// The value of a parameter, with its source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcedValue {
    pub value: f64,
    pub tag: ParameterProvenance,
    pub source: String,
    /// For a measured value: the ends of its 95% interval.
    pub range: Option<(f64, f64)>,
}

impl SourcedValue {
    /// A value that the scenario file gives.
    pub fn given(value: f64) -> SourcedValue {
        SourcedValue {
            value,
            tag: ParameterProvenance::Scenario,
            source: "scenario file".to_owned(),
            range: None,
        }
    }

    /// The value that the scenario file gives, or else this default.
    pub fn given_or(
        given: Option<f64>,
        default: f64,
        tag: ParameterProvenance,
        source: &str,
    ) -> SourcedValue {
        match given {
            Some(value) => SourcedValue::given(value),
            None => SourcedValue { value: default, tag, source: source.to_owned(), range: None },
        }
    }

    /// The same value under a name, for a list.
    pub fn named(&self, name: &'static str) -> SourcedParameter {
        let SourcedValue { value, tag, source, range: _ } = self.clone();
        SourcedParameter { name, value, tag, source }
    }
}

/// A parameter of a reader or a guard in a list, with its source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourcedParameter {
    pub name: &'static str,
    #[serde(serialize_with = "six_decimals")]
    pub value: f64,
    pub tag: ParameterProvenance,
    pub source: String,
}

fn six_decimals<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((value * 1e6).round() / 1e6)
}

/// Defines a struct with one field a parameter, and the enum that refers to these fields. Each line is a field, which
/// is also the name in files, and its variant.
macro_rules! parameter_struct {
    (
        $(#[$about_struct:meta])* struct $Values:ident;
        $(#[$about_enum:meta])* enum $Parameter:ident;
        $($(#[$about:meta])* $field:ident: $Variant:ident,)+
    ) => {
        $(#[$about_struct])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $Values<T = f64> {
            $($(#[$about])* pub $field: T,)+
        }

        $(#[$about_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Parameter {
            $($(#[$about])* $Variant,)+
        }

        impl $Parameter {
            /// All of them, in the order in which they are listed.
            pub const ALL: &'static [$Parameter] = &[$($Parameter::$Variant),+];

            /// The name used in files.
            pub fn name(self) -> &'static str {
                match self {
                    $($Parameter::$Variant => stringify!($field),)+
                }
            }
        }

        impl<T> $Values<T> {
            pub fn get(&self, parameter: $Parameter) -> &T {
                match parameter {
                    $($Parameter::$Variant => &self.$field,)+
                }
            }

            pub fn get_mut(&mut self, parameter: $Parameter) -> &mut T {
                match parameter {
                    $($Parameter::$Variant => &mut self.$field,)+
                }
            }

            /// The struct in which each field is computed from the same field of this one.
            pub fn map<U>(&self, mut compute: impl FnMut(&T) -> U) -> $Values<U> {
                $Values { $($field: compute(&self.$field),)+ }
            }
        }
    };
}
pub(super) use parameter_struct;

parameter_struct! {
    /// One value for each parameter of the reader.
    struct ReaderParameters;
    /// A parameter of the reader. Each is a probability.
    enum ReaderParameter;

    /// A value that was read comes out as another one, which is not right either.
    misread: Misread,
    /// Gold is in the context, and a distractor ranked above it is followed; per distractor.
    distracted_above: DistractedAbove,
    /// Gold is in the context, and a distractor ranked below it is followed; per distractor.
    distracted_below: DistractedBelow,
    /// Gold is not in the context (or is overlooked), the answer is not lucky, and the best distractor that states the
    /// field is followed.
    follow: Follow,
    /// In place of `follow`: a wrong value is fabricated.
    fabricate: Fabricate,
    /// Nothing in the context states the field, the answer is not lucky, and a wrong value is fabricated.
    fabricate_empty: FabricateEmpty,
    /// Gold is not in the context (or is overlooked), and the right value is given by luck.
    lucky: Lucky,
    /// Gold is in the context, and a passage between it and the nearer end hides it; per passage.
    overlooked: Overlooked,
    /// Gold is in the context, neither overlooked nor replaced by a distractor, and the reader reports nevertheless that
    /// the value is not stated.
    declined: Declined,
    /// The answer cannot be parsed into a value. It applies to every reading, before everything else.
    unparsable: Unparsable,
}
