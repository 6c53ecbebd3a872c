"""The page: docs/internals/benchmarks.md and its pictures, made of the document alone."""
