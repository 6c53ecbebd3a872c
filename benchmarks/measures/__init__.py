"""The benchmarks, one file each: how it is measured, and what its figures must be."""
