//! Generators: portfolios of records whose every passage is labelled with what it is.
