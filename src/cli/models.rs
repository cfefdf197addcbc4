//! `knockon models`
