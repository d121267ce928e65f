//! What the fuzz targets check. The bodies are plain functions, so that the tests of the crates
//! replay the corpus with a stable compiler; each panics when a law is broken, and says whether
//! the input was accepted.

pub mod bodies;
pub mod compressed;
