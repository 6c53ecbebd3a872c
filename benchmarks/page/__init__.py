"""The page: docs/benchmarks.md and its pictures, made of the document alone."""
